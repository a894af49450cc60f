package s3

// level says what the path of a request names.
type level uint8

const (
	levelService level = iota
	levelBucket
	levelObject
)

// bodyKind says what an operation does with a request body.
type bodyKind uint8

const (
	bodyNone     bodyKind = iota // never read, never forwarded
	bodyDocument                 // a bounded XML document, checked before it is forwarded
	bodyObject                   // an object's bytes, streamed
)

// serving says whether an operation is served.
type serving uint8

const (
	_ serving = iota // the zero value: always served
	// serveOptIn operations make the upstream act on another name with our
	// credentials, or are known to few stores: NotImplemented unless enabled. A
	// store may take no notice of a sub-resource that it does not know: for Ceph
	// 16 DELETE ?encryption deletes the bucket, and GET ?encryption lists it.
	serveOptIn
)

// Operation is one row of the table of S3 operations.
type Operation struct {
	// Name as in the S3 API: "GetObject".
	Name    string
	method  string
	level   level
	markers []string // query keys that must be present, or "key=value"
	copies  bool     // x-amz-copy-source must be present; otherwise it must not
	// actions are needed on the bucket or object; versionActions instead of
	// them when versionId is given.
	actions, versionActions []string
	params                  []string // neutral query parameters
	body                    bodyKind
	serve                   serving
	handle                  func(*exchange) error // nil: forward as it is
}

// Action names of extra rights and of the checks that no row holds.
const (
	actionGetObject         = "s3:GetObject"
	actionGetObjectVersion  = "s3:GetObjectVersion"
	actionListBucket        = "s3:ListBucket"
	actionCreateBucket      = "s3:CreateBucket"
	actionDeleteObject      = "s3:DeleteObject"
	actionDeleteVersion     = "s3:DeleteObjectVersion"
	actionPutObjectAcl      = "s3:PutObjectAcl"
	actionPutObjectTagging  = "s3:PutObjectTagging"
	actionGetTagging        = "s3:GetObjectTagging"
	actionGetVersionTagging = "s3:GetObjectVersionTagging"
	actionPutRetention      = "s3:PutObjectRetention"
	actionPutLegalHold      = "s3:PutObjectLegalHold"
	actionBypassGovernance  = "s3:BypassGovernanceRetention"
	actionPutLockConfig     = "s3:PutBucketObjectLockConfiguration"
	actionPutVersioning     = "s3:PutBucketVersioning"
	actionPutBucketAcl      = "s3:PutBucketAcl"
	parameterVersionID      = "versionId"
	headerCopySource        = "X-Amz-Copy-Source"
	headerBypassGovernance  = "X-Amz-Bypass-Governance-Retention"
	headerACL               = "X-Amz-Acl"
	headerTagging           = "X-Amz-Tagging"
	headerTaggingDirective  = "X-Amz-Tagging-Directive"
	headerMetadataDirective = "X-Amz-Metadata-Directive"
	headerLockMode          = "X-Amz-Object-Lock-Mode"
	headerLockUntil         = "X-Amz-Object-Lock-Retain-Until-Date"
	headerLockHold          = "X-Amz-Object-Lock-Legal-Hold"
	headerLockEnabled       = "X-Amz-Bucket-Object-Lock-Enabled"
	headerExpectedOwner     = "X-Amz-Expected-Bucket-Owner"
	headerSourceOwner       = "X-Amz-Source-Expected-Bucket-Owner"
	headerContentSHA256     = "X-Amz-Content-Sha256"
	headerDecodedLength     = "X-Amz-Decoded-Content-Length"
	headerTrailer           = "X-Amz-Trailer"
	headerChecksumAlgorithm = "X-Amz-Sdk-Checksum-Algorithm"
)

var (
	versionParams = []string{parameterVersionID}
	readParams    = []string{
		parameterVersionID, "partNumber", "response-cache-control", "response-content-disposition",
		"response-content-encoding", "response-content-language", "response-content-type", "response-expires",
	}
)

// operations is the whole table: what is not here is NotImplemented.
var operations = []Operation{
	{Name: "ListBuckets", method: "GET", level: levelService, actions: []string{"s3:ListAllMyBuckets"}, params: []string{"max-buckets", "continuation-token", "prefix", "bucket-region"}},
	{Name: "CreateBucket", method: "PUT", level: levelBucket, actions: []string{"s3:CreateBucket"}, body: bodyDocument},
	{Name: "HeadBucket", method: "HEAD", level: levelBucket, actions: []string{"s3:ListBucket"}},
	{Name: "DeleteBucket", method: "DELETE", level: levelBucket, actions: []string{"s3:DeleteBucket"}},
	{Name: "GetBucketLocation", method: "GET", level: levelBucket, markers: []string{"location"}, actions: []string{"s3:GetBucketLocation"}},
	{Name: "ListObjects", method: "GET", level: levelBucket, actions: []string{"s3:ListBucket"}, params: []string{"prefix", "delimiter", "max-keys", "encoding-type", "marker"}},
	{Name: "ListObjectsV2", method: "GET", level: levelBucket, markers: []string{"list-type=2"}, actions: []string{"s3:ListBucket"}, params: []string{"prefix", "delimiter", "max-keys", "encoding-type", "continuation-token", "start-after", "fetch-owner"}},
	{Name: "ListObjectVersions", method: "GET", level: levelBucket, markers: []string{"versions"}, actions: []string{"s3:ListBucketVersions"}, params: []string{"prefix", "delimiter", "max-keys", "encoding-type", "key-marker", "version-id-marker"}},
	{Name: "ListMultipartUploads", method: "GET", level: levelBucket, markers: []string{"uploads"}, actions: []string{"s3:ListBucketMultipartUploads"}, params: []string{"prefix", "delimiter", "max-uploads", "encoding-type", "key-marker", "upload-id-marker"}},
	{Name: "GetBucketVersioning", method: "GET", level: levelBucket, markers: []string{"versioning"}, actions: []string{"s3:GetBucketVersioning"}},
	{Name: "PutBucketVersioning", method: "PUT", level: levelBucket, markers: []string{"versioning"}, actions: []string{"s3:PutBucketVersioning"}, body: bodyDocument},
	{Name: "GetBucketPolicy", method: "GET", level: levelBucket, markers: []string{"policy"}, actions: []string{"s3:GetBucketPolicy"}},
	{Name: "PutBucketPolicy", method: "PUT", level: levelBucket, markers: []string{"policy"}, actions: []string{"s3:PutBucketPolicy"}, body: bodyDocument},
	{Name: "DeleteBucketPolicy", method: "DELETE", level: levelBucket, markers: []string{"policy"}, actions: []string{"s3:DeleteBucketPolicy"}},
	{Name: "GetBucketPolicyStatus", method: "GET", level: levelBucket, markers: []string{"policyStatus"}, actions: []string{"s3:GetBucketPolicyStatus"}},
	{Name: "GetBucketAcl", method: "GET", level: levelBucket, markers: []string{"acl"}, actions: []string{"s3:GetBucketAcl"}},
	{Name: "PutBucketAcl", method: "PUT", level: levelBucket, markers: []string{"acl"}, actions: []string{"s3:PutBucketAcl"}, body: bodyDocument},
	{Name: "GetBucketCors", method: "GET", level: levelBucket, markers: []string{"cors"}, actions: []string{"s3:GetBucketCORS"}},
	{Name: "PutBucketCors", method: "PUT", level: levelBucket, markers: []string{"cors"}, actions: []string{"s3:PutBucketCORS"}, body: bodyDocument},
	{Name: "DeleteBucketCors", method: "DELETE", level: levelBucket, markers: []string{"cors"}, actions: []string{"s3:PutBucketCORS"}},
	{Name: "GetBucketTagging", method: "GET", level: levelBucket, markers: []string{"tagging"}, actions: []string{"s3:GetBucketTagging"}},
	{Name: "PutBucketTagging", method: "PUT", level: levelBucket, markers: []string{"tagging"}, actions: []string{"s3:PutBucketTagging"}, body: bodyDocument},
	{Name: "DeleteBucketTagging", method: "DELETE", level: levelBucket, markers: []string{"tagging"}, actions: []string{"s3:PutBucketTagging"}},
	{Name: "GetBucketLifecycleConfiguration", method: "GET", level: levelBucket, markers: []string{"lifecycle"}, actions: []string{"s3:GetLifecycleConfiguration"}, serve: serveOptIn},
	{Name: "PutBucketLifecycleConfiguration", method: "PUT", level: levelBucket, markers: []string{"lifecycle"}, actions: []string{"s3:PutLifecycleConfiguration"}, body: bodyDocument, serve: serveOptIn},
	{Name: "DeleteBucketLifecycle", method: "DELETE", level: levelBucket, markers: []string{"lifecycle"}, actions: []string{"s3:PutLifecycleConfiguration"}, serve: serveOptIn},
	{Name: "GetBucketEncryption", method: "GET", level: levelBucket, markers: []string{"encryption"}, actions: []string{"s3:GetEncryptionConfiguration"}, serve: serveOptIn},
	{Name: "PutBucketEncryption", method: "PUT", level: levelBucket, markers: []string{"encryption"}, actions: []string{"s3:PutEncryptionConfiguration"}, body: bodyDocument, serve: serveOptIn},
	{Name: "DeleteBucketEncryption", method: "DELETE", level: levelBucket, markers: []string{"encryption"}, actions: []string{"s3:PutEncryptionConfiguration"}, serve: serveOptIn},
	{Name: "GetPublicAccessBlock", method: "GET", level: levelBucket, markers: []string{"publicAccessBlock"}, actions: []string{"s3:GetBucketPublicAccessBlock"}},
	{Name: "PutPublicAccessBlock", method: "PUT", level: levelBucket, markers: []string{"publicAccessBlock"}, actions: []string{"s3:PutBucketPublicAccessBlock"}, body: bodyDocument},
	{Name: "DeletePublicAccessBlock", method: "DELETE", level: levelBucket, markers: []string{"publicAccessBlock"}, actions: []string{"s3:PutBucketPublicAccessBlock"}},
	{Name: "GetBucketOwnershipControls", method: "GET", level: levelBucket, markers: []string{"ownershipControls"}, actions: []string{"s3:GetBucketOwnershipControls"}},
	{Name: "PutBucketOwnershipControls", method: "PUT", level: levelBucket, markers: []string{"ownershipControls"}, actions: []string{"s3:PutBucketOwnershipControls"}, body: bodyDocument},
	{Name: "DeleteBucketOwnershipControls", method: "DELETE", level: levelBucket, markers: []string{"ownershipControls"}, actions: []string{"s3:PutBucketOwnershipControls"}},
	{Name: "GetObjectLockConfiguration", method: "GET", level: levelBucket, markers: []string{"object-lock"}, actions: []string{"s3:GetBucketObjectLockConfiguration"}},
	{Name: "PutObjectLockConfiguration", method: "PUT", level: levelBucket, markers: []string{"object-lock"}, actions: []string{"s3:PutBucketObjectLockConfiguration"}, body: bodyDocument},
	{Name: "GetBucketNotificationConfiguration", method: "GET", level: levelBucket, markers: []string{"notification"}, actions: []string{"s3:GetBucketNotification"}, serve: serveOptIn},
	{Name: "PutBucketNotificationConfiguration", method: "PUT", level: levelBucket, markers: []string{"notification"}, actions: []string{"s3:PutBucketNotification"}, body: bodyDocument, serve: serveOptIn},
	{Name: "GetBucketLogging", method: "GET", level: levelBucket, markers: []string{"logging"}, actions: []string{"s3:GetBucketLogging"}, serve: serveOptIn},
	{Name: "PutBucketLogging", method: "PUT", level: levelBucket, markers: []string{"logging"}, actions: []string{"s3:PutBucketLogging"}, body: bodyDocument, serve: serveOptIn},
	{Name: "GetBucketWebsite", method: "GET", level: levelBucket, markers: []string{"website"}, actions: []string{"s3:GetBucketWebsite"}, serve: serveOptIn},
	{Name: "PutBucketWebsite", method: "PUT", level: levelBucket, markers: []string{"website"}, actions: []string{"s3:PutBucketWebsite"}, body: bodyDocument, serve: serveOptIn},
	{Name: "DeleteBucketWebsite", method: "DELETE", level: levelBucket, markers: []string{"website"}, actions: []string{"s3:DeleteBucketWebsite"}, serve: serveOptIn},
	{Name: "GetBucketReplication", method: "GET", level: levelBucket, markers: []string{"replication"}, actions: []string{"s3:GetReplicationConfiguration"}, serve: serveOptIn},
	{Name: "PutBucketReplication", method: "PUT", level: levelBucket, markers: []string{"replication"}, actions: []string{"s3:PutReplicationConfiguration"}, body: bodyDocument, serve: serveOptIn},
	{Name: "DeleteObjects", method: "POST", level: levelBucket, markers: []string{"delete"}, actions: []string{"s3:DeleteObject"}, versionActions: []string{"s3:DeleteObjectVersion"}, body: bodyDocument},
	{Name: "GetObject", method: "GET", level: levelObject, actions: []string{"s3:GetObject"}, versionActions: []string{"s3:GetObjectVersion"}, params: readParams},
	{Name: "HeadObject", method: "HEAD", level: levelObject, actions: []string{"s3:GetObject"}, versionActions: []string{"s3:GetObjectVersion"}, params: readParams},
	{Name: "GetObjectAttributes", method: "GET", level: levelObject, markers: []string{"attributes"}, actions: []string{"s3:GetObject", "s3:GetObjectAttributes"}, versionActions: []string{"s3:GetObjectVersion", "s3:GetObjectVersionAttributes"}, params: versionParams},
	{Name: "PutObject", method: "PUT", level: levelObject, actions: []string{"s3:PutObject"}, body: bodyObject},
	{Name: opCopy, method: "PUT", level: levelObject, copies: true, actions: []string{"s3:PutObject"}},
	{Name: "DeleteObject", method: "DELETE", level: levelObject, actions: []string{"s3:DeleteObject"}, versionActions: []string{"s3:DeleteObjectVersion"}, params: versionParams},
	{Name: "CreateMultipartUpload", method: "POST", level: levelObject, markers: []string{"uploads"}, actions: []string{"s3:PutObject"}},
	{Name: "UploadPart", method: "PUT", level: levelObject, markers: []string{"partNumber", "uploadId"}, actions: []string{"s3:PutObject"}, body: bodyObject},
	{Name: "UploadPartCopy", method: "PUT", level: levelObject, markers: []string{"partNumber", "uploadId"}, copies: true, actions: []string{"s3:PutObject"}},
	{Name: "CompleteMultipartUpload", method: "POST", level: levelObject, markers: []string{"uploadId"}, actions: []string{"s3:PutObject"}, body: bodyDocument},
	{Name: "AbortMultipartUpload", method: "DELETE", level: levelObject, markers: []string{"uploadId"}, actions: []string{"s3:AbortMultipartUpload"}},
	{Name: "ListParts", method: "GET", level: levelObject, markers: []string{"uploadId"}, actions: []string{"s3:ListMultipartUploadParts"}, params: []string{"max-parts", "part-number-marker", "encoding-type"}},
	{Name: "GetObjectTagging", method: "GET", level: levelObject, markers: []string{"tagging"}, actions: []string{"s3:GetObjectTagging"}, versionActions: []string{"s3:GetObjectVersionTagging"}, params: versionParams},
	{Name: "PutObjectTagging", method: "PUT", level: levelObject, markers: []string{"tagging"}, actions: []string{"s3:PutObjectTagging"}, versionActions: []string{"s3:PutObjectVersionTagging"}, params: versionParams, body: bodyDocument},
	{Name: "DeleteObjectTagging", method: "DELETE", level: levelObject, markers: []string{"tagging"}, actions: []string{"s3:DeleteObjectTagging"}, versionActions: []string{"s3:DeleteObjectVersionTagging"}, params: versionParams},
	{Name: "GetObjectAcl", method: "GET", level: levelObject, markers: []string{"acl"}, actions: []string{"s3:GetObjectAcl"}, versionActions: []string{"s3:GetObjectVersionAcl"}, params: versionParams},
	{Name: "PutObjectAcl", method: "PUT", level: levelObject, markers: []string{"acl"}, actions: []string{"s3:PutObjectAcl"}, versionActions: []string{"s3:PutObjectVersionAcl"}, params: versionParams, body: bodyDocument},
	{Name: "GetObjectRetention", method: "GET", level: levelObject, markers: []string{"retention"}, actions: []string{"s3:GetObjectRetention"}, params: versionParams},
	{Name: "PutObjectRetention", method: "PUT", level: levelObject, markers: []string{"retention"}, actions: []string{"s3:PutObjectRetention"}, params: versionParams, body: bodyDocument},
	{Name: "GetObjectLegalHold", method: "GET", level: levelObject, markers: []string{"legal-hold"}, actions: []string{"s3:GetObjectLegalHold"}, params: versionParams},
	{Name: "PutObjectLegalHold", method: "PUT", level: levelObject, markers: []string{"legal-hold"}, actions: []string{"s3:PutObjectLegalHold"}, params: versionParams, body: bodyDocument},
	{Name: "RestoreObject", method: "POST", level: levelObject, markers: []string{"restore"}, actions: []string{"s3:RestoreObject"}, params: versionParams, body: bodyDocument, serve: serveOptIn},
}

// notImplemented are the operations of AWS's model that are known and not
// served; the completeness test demands that each operation is here or in the
// table. The recogniser does not need it: what matches no row is refused.
var notImplemented = []string{
	"CreateBucketMetadataConfiguration", "CreateBucketMetadataTableConfiguration", "CreateSession",
	"DeleteBucketAnalyticsConfiguration", "DeleteBucketIntelligentTieringConfiguration",
	"DeleteBucketInventoryConfiguration", "DeleteBucketMetadataConfiguration",
	"DeleteBucketMetadataTableConfiguration", "DeleteBucketMetricsConfiguration", "DeleteBucketReplication",
	"GetBucketAbac", "GetBucketAccelerateConfiguration", "GetBucketAnalyticsConfiguration",
	"GetBucketIntelligentTieringConfiguration", "GetBucketInventoryConfiguration", "GetBucketLifecycle",
	"GetBucketMetadataConfiguration", "GetBucketMetadataTableConfiguration", "GetBucketMetricsConfiguration",
	"GetBucketNotification", "GetBucketRequestPayment", "GetObjectTorrent", "ListBucketAnalyticsConfigurations",
	"ListBucketIntelligentTieringConfigurations", "ListBucketInventoryConfigurations",
	"ListBucketMetricsConfigurations", "ListDirectoryBuckets", "PutBucketAbac",
	"PutBucketAccelerateConfiguration", "PutBucketAnalyticsConfiguration",
	"PutBucketIntelligentTieringConfiguration", "PutBucketInventoryConfiguration", "PutBucketLifecycle",
	"PutBucketMetricsConfiguration", "PutBucketNotification", "PutBucketRequestPayment", "RenameObject",
	"SelectObjectContent", "UpdateBucketMetadataInventoryTableConfiguration",
	"UpdateBucketMetadataJournalTableConfiguration", "UpdateObjectEncryption", "WriteGetObjectResponse",
}

type shape struct {
	method string
	level  level
	copies bool
}

// handlers are the operations that are more than forwarding.
var handlers = map[string]func(*exchange) error{
	"ListBuckets":                   (*exchange).listBuckets,
	"CreateBucket":                  (*exchange).createBucket,
	"DeleteBucket":                  (*exchange).deleteBucket,
	"HeadBucket":                    (*exchange).headBucket,
	"GetBucketLocation":             (*exchange).bucketLocation,
	"GetBucketAcl":                  (*exchange).getACL,
	"PutBucketAcl":                  (*exchange).putACL,
	"GetObjectAcl":                  (*exchange).getACL,
	"PutObjectAcl":                  (*exchange).putACL,
	"DeleteObjects":                 (*exchange).deleteObjects,
	"GetBucketPolicy":               (*exchange).getPolicy,
	"PutBucketPolicy":               (*exchange).putPolicy,
	"GetBucketPolicyStatus":         (*exchange).policyStatus,
	"DeleteBucketPolicy":            (*exchange).deletePolicy,
	"PutBucketCors":                 (*exchange).changeCORS,
	"DeleteBucketCors":              (*exchange).changeCORS,
	"UploadPart":                    (*exchange).uploadPart,
	"CreateMultipartUpload":         (*exchange).createUpload,
	"CompleteMultipartUpload":       (*exchange).forwardSlow,
	"GetPublicAccessBlock":          (*exchange).getPublicAccessBlock,
	"PutPublicAccessBlock":          (*exchange).putPublicAccessBlock,
	"DeletePublicAccessBlock":       (*exchange).cannotDelete,
	"GetBucketOwnershipControls":    (*exchange).getOwnershipControls,
	"GetObjectAttributes":           (*exchange).getAttributes,
	"PutBucketOwnershipControls":    (*exchange).putOwnershipControls,
	"DeleteBucketOwnershipControls": (*exchange).cannotDelete,
	opCopy:                          (*exchange).copyObject,
	"UploadPartCopy":                (*exchange).copyPart,
	"ListObjects":                   (*exchange).forwardListing,
	"ListObjectsV2":                 (*exchange).forwardListing,
	"ListObjectVersions":            (*exchange).forwardListing,
	"ListMultipartUploads":          (*exchange).forwardListing,
	"ListParts":                     (*exchange).forwardListing,
}

// byShape indexes the table for the recogniser.
var byShape = func() map[shape][]*Operation {
	m := map[shape][]*Operation{}
	for i := range operations {
		op := &operations[i]
		op.handle = handlers[op.Name]
		k := shape{op.method, op.level, op.copies}
		m[k] = append(m[k], op)
	}
	return m
}()
