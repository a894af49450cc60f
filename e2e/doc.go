// Package e2e holds the tests that drive a running Daypass with the clients
// people have: curl, the aws CLIs, boto3, the SDKs. It is a module of its own,
// so that none of them is ever linked into the product.
//
// The tests start the real binaries and know nothing of the server but its
// ready file, its ports and its site files. Only the signature tests reach into
// daypass/internal/sigv4, to hold it against the signers of the SDKs, and those
// of policydiff into daypass/internal/policy, to hold it against another engine.
package e2e
