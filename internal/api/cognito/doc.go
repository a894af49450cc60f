// Package cognito speaks the JSON 1.1 protocol of Amazon Cognito: user pools
// (X-Amz-Target AWSCognitoIdentityProviderService.*, API version 2016-04-18) and
// identity pools (AWSCognitoIdentityService.*, 2014-06-30), and serves the
// discovery documents of user pools and identity pools.
//
// An operation is one entry in the table of its area's file. Calls that Amazon
// leaves unsigned are unsigned here; all others are SigV4 for cognito-idp or
// cognito-identity.
//
// It refuses to know what a password, a token or a policy is worth: packages
// issue, directory and access judge, it decodes and encodes.
package cognito
