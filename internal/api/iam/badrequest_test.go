package iam_test

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"daypass/internal/awswire"
	"daypass/internal/wiretest"
)

func constraint(value, field, rest string) string {
	if value != "" {
		value = "'" + value + "' "
	}
	return "1 validation error detected: Value " + value + "at '" + field + "' failed to satisfy constraint: " + rest
}

func tags(n int) string {
	var b strings.Builder
	for i := range n {
		p := "&Tags.member." + strconv.Itoa(i+1)
		b.WriteString(p + ".Key=k" + strconv.Itoa(i) + p + ".Value=v")
	}
	return b.String()
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	const (
		shortest = "Member must have length greater than or equal to "
		longest  = "Member must have length less than or equal to "
		least    = "Member must have value greater than or equal to "
		most     = "Member must have value less than or equal to "
		integer  = "Member must be a 32-bit integer"
		missing  = "The request must contain the parameter "
		null     = "Member must not be null"
		badName  = "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
		badPath  = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."
		badKey   = "The specified value for accessKeyId is invalid. It must contain only alphanumeric characters and/or the following: _"
		tagText  = `Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]`
		invalid  = "ValidationError"
		absent   = "MissingParameter"
		key      = "AccessKeyId=" + keyID
	)
	long := func(n int) string { return strings.Repeat("a", n) }
	for name, tt := range map[string]struct {
		raw     string
		status  int
		code    string
		message string
	}{
		"nothing":                    {post("", ""), 400, absent, missing + "Action."},
		"unknown action":             {call("Nonsense", ""), 400, "InvalidAction", "Could not find operation Nonsense for version 2010-05-08"},
		"unserved action":            {call("UploadSSHPublicKey", "UserName=x"), 400, "InvalidAction", "Could not find operation UploadSSHPublicKey for version 2010-05-08"},
		"action of STS":              {post(signed, "Action=GetCallerIdentity&Version=2011-06-15"), 400, "InvalidAction", "Could not find operation GetCallerIdentity for version 2011-06-15"},
		"version of STS":             {post(signed, "Action=GetUser&Version=2011-06-15"), 400, "InvalidAction", "Could not find operation GetUser for version 2011-06-15"},
		"no version":                 {post(signed, "Action=GetUser"), 400, "InvalidAction", "Could not find operation GetUser for version NO_VERSION_SPECIFIED"},
		"parameter twice":            {call("GetUser", "UserName=alice&UserName=bob"), 400, invalid, "A parameter must not occur more than once in a request."},
		"bad escape":                 {call("GetUser", "UserName=%a"), 400, invalid, "The value of a parameter is malformed."},
		"JSON":                       {"POST / HTTP/1.1\nHost: x\nContent-Type: application/json\n\n{}", 400, invalid, "The content type of the request must be application/x-www-form-urlencoded."},
		"PATCH":                      {"PATCH / HTTP/1.1\nHost: x\n\n", 405, "MethodNotAllowed", "The method is not allowed; use POST or GET."},
		"too large":                  {call("GetUser", "UserName="+long(1<<20)), 413, "RequestEntityTooLarge", "The request is larger than the service accepts."},
		"unsigned":                   {post("", "Action=GetUser&Version=2010-05-08"), 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		"GetUser, empty name":        {call("GetUser", "UserName="), 400, invalid, constraint("", "userName", shortest+"1")},
		"GetUser, long name":         {call("GetUser", "UserName="+long(129)), 400, invalid, constraint("", "userName", longest+"128")},
		"GetUser, slash":             {call("GetUser", "UserName=a/b"), 400, invalid, badName},
		"GetUser, umlaut":            {call("GetUser", "UserName=%C3%A4"), 400, invalid, badName},
		"GetUser, NUL":               {call("GetUser", "UserName=a%00"), 400, invalid, badName},
		"GetUser, unknown":           {call("GetUser", "UserName=nobody"), 404, "NoSuchEntity", "The user with name nobody cannot be found."},
		"CreateUser, no name":        {call("CreateUser", ""), 400, absent, missing + "UserName."},
		"CreateUser, empty name":     {call("CreateUser", "UserName="), 400, invalid, constraint("", "userName", shortest+"1")},
		"CreateUser, long name":      {call("CreateUser", "UserName="+long(65)), 400, invalid, constraint("", "userName", longest+"64")},
		"CreateUser, blank":          {call("CreateUser", "UserName=a+b"), 400, invalid, badName},
		"CreateUser, taken":          {call("CreateUser", "UserName=alice"), 409, "EntityAlreadyExists", "User with name alice already exists."},
		"CreateUser, empty path":     {call("CreateUser", "UserName=new&Path="), 400, invalid, constraint("", "path", shortest+"1")},
		"CreateUser, open path":      {call("CreateUser", "UserName=new&Path=/a"), 400, invalid, badPath},
		"CreateUser, relative path":  {call("CreateUser", "UserName=new&Path=a/"), 400, invalid, badPath},
		"CreateUser, blank in path":  {call("CreateUser", "UserName=new&Path=/a+b/"), 400, invalid, badPath},
		"CreateUser, long path":      {call("CreateUser", "UserName=new&Path=/"+long(511)+"/"), 400, invalid, constraint("", "path", longest+"512")},
		"CreateUser, boundary":       {call("CreateUser", "UserName=new&PermissionsBoundary=x"), 400, invalid, constraint("", "permissionsBoundary", shortest+"20")},
		"CreateRole, no name":        {call("CreateRole", "AssumeRolePolicyDocument=x"), 400, absent, missing + "RoleName."},
		"CreateRole, no trust":       {call("CreateRole", "RoleName=x"), 400, absent, missing + "AssumeRolePolicyDocument."},
		"CreateRole, long name":      {call("CreateRole", "AssumeRolePolicyDocument=x&RoleName="+long(65)), 400, invalid, constraint("", "roleName", longest+"64")},
		"CreateRole, slash":          {call("CreateRole", "AssumeRolePolicyDocument=x&RoleName=a/b"), 400, invalid, strings.Replace(badName, "userName", "roleName", 1)},
		"CreateRole, long trust":     {call("CreateRole", "RoleName=x&AssumeRolePolicyDocument="+long(131073)), 400, invalid, constraint("", "assumeRolePolicyDocument", longest+"131072")},
		"CreateRole, long text":      {call("CreateRole", "RoleName=x&AssumeRolePolicyDocument=x&Description="+long(1001)), 400, invalid, constraint("", "description", longest+"1000")},
		"CreateRole, short session":  {call("CreateRole", "RoleName=x&AssumeRolePolicyDocument=x&MaxSessionDuration=3599"), 400, invalid, constraint("3599", "maxSessionDuration", least+"3600")},
		"CreateRole, long session":   {call("CreateRole", "RoleName=x&AssumeRolePolicyDocument=x&MaxSessionDuration=43201"), 400, invalid, constraint("43201", "maxSessionDuration", most+"43200")},
		"CreateRole, empty session":  {call("CreateRole", "RoleName=x&AssumeRolePolicyDocument=x&MaxSessionDuration="), 400, invalid, constraint("", "maxSessionDuration", integer)},
		"UpdateRoleDescription":      {call("UpdateRoleDescription", "RoleName=x"), 400, absent, missing + "Description."},
		"UntagRole, 51 keys":         {call("UntagRole", "RoleName=x&TagKeys.member.51=a"), 400, invalid, constraint("", "tagKeys", longest+"50")},
		"UntagRole, empty key":       {call("UntagRole", "RoleName=x&TagKeys.member.1="), 400, invalid, constraint("", "tagKeys.1.member", shortest+"1")},
		"ListRoleTags, no items":     {call("ListRoleTags", "RoleName=x&MaxItems=0"), 400, invalid, constraint("", "maxItems", least+"1")},
		"provider without URL":       {call("CreateOpenIDConnectProvider", ""), 400, absent, missing + "Url."},
		"provider, long URL":         {call("CreateOpenIDConnectProvider", "Url="+long(256)), 400, invalid, constraint("", "url", longest+"255")},
		"provider, long client ID":   {call("CreateOpenIDConnectProvider", "Url=x&ClientIDList.member.1="+long(256)), 400, invalid, constraint("", "clientIDList.1.member", longest+"255")},
		"provider, 101 client IDs":   {call("CreateOpenIDConnectProvider", "Url=x&ClientIDList.member.101=a"), 400, invalid, constraint("", "clientIDList", longest+"100")},
		"provider, short thumbprint": {call("CreateOpenIDConnectProvider", "Url=x&ThumbprintList.member.1=a"), 400, invalid, constraint("", "thumbprintList.1.member", shortest+"40")},
		"provider, six thumbprints":  {call("CreateOpenIDConnectProvider", "Url=x&ThumbprintList.member.6=a"), 400, invalid, constraint("", "thumbprintList", longest+"5")},
		"provider, no ARN":           {call("GetOpenIDConnectProvider", ""), 400, absent, missing + "OpenIDConnectProviderArn."},
		"provider, short ARN":        {call("GetOpenIDConnectProvider", "OpenIDConnectProviderArn=arn"), 400, invalid, constraint("", "openIDConnectProviderArn", shortest+"20")},
		"no client ID":               {call("AddClientIDToOpenIDConnectProvider", "OpenIDConnectProviderArn="+long(20)), 400, absent, missing + "ClientID."},
		"CreateUser, 51 tags":        {call("CreateUser", "UserName=new"+tags(51)), 400, invalid, constraint("", "tags", longest+"50")},
		"CreateUser, tag alone":      {call("CreateUser", "UserName=new&Tags.member.1.Key=a"), 400, invalid, constraint("", "tags.1.member.value", null)},
		"CreateUser, no tag key":     {call("CreateUser", "UserName=new&Tags.member.1.Value=a"), 400, invalid, constraint("", "tags.1.member.key", null)},
		"CreateUser, empty tag key":  {call("CreateUser", "UserName=new&Tags.member.1.Key=&Tags.member.1.Value=a"), 400, invalid, constraint("", "tags.1.member.key", shortest+"1")},
		"CreateUser, long tag key":   {call("CreateUser", "UserName=new&Tags.member.1.Value=&Tags.member.1.Key="+long(129)), 400, invalid, constraint("", "tags.1.member.key", longest+"128")},
		"CreateUser, long tag value": {call("CreateUser", "UserName=new&Tags.member.1.Key=a&Tags.member.1.Value="+long(257)), 400, invalid, constraint("", "tags.1.member.value", longest+"256")},
		"CreateUser, bad tag key":    {call("CreateUser", "UserName=new&Tags.member.1.Key=%24&Tags.member.1.Value=a"), 400, invalid, constraint("$", "tags.1.member.key", tagText+"+")},
		"CreateUser, bad tag value":  {call("CreateUser", "UserName=new&Tags.member.1.Key=a&Tags.member.1.Value=%2A"), 400, invalid, constraint("*", "tags.1.member.value", tagText+"*")},
		"CreateUser, same tag twice": {call("CreateUser", "UserName=new&Tags.member.1.Key=team&Tags.member.1.Value=a&Tags.member.2.Key=TEAM&Tags.member.2.Value=b"), 400, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		"UpdateUser, no name":        {call("UpdateUser", "NewUserName=x"), 400, absent, missing + "UserName."},
		"UpdateUser, bad new name":   {call("UpdateUser", "UserName=alice&NewUserName=a/b"), 400, invalid, strings.Replace(badName, "userName", "newUserName", 1)},
		"UpdateUser, empty new name": {call("UpdateUser", "UserName=alice&NewUserName="), 400, invalid, constraint("", "newUserName", shortest+"1")},
		"UpdateUser, long new name":  {call("UpdateUser", "UserName=alice&NewUserName="+long(65)), 400, invalid, constraint("", "newUserName", longest+"64")},
		"UpdateUser, bad new path":   {call("UpdateUser", "UserName=alice&NewPath=x"), 400, invalid, strings.Replace(badPath, "path", "newPath", 1)},
		"DeleteUser, no name":        {call("DeleteUser", ""), 400, absent, missing + "UserName."},
		"DeleteUser, with keys":      {call("DeleteUser", "UserName=alice"), 409, "DeleteConflict", "Cannot delete entity, must delete access keys first."},
		"ListUsers, bad prefix":      {call("ListUsers", "PathPrefix=a"), 400, invalid, "The specified value for pathPrefix is invalid. It must begin with / and contain only alphanumeric characters and/or / characters."},
		"ListUsers, no items":        {call("ListUsers", "MaxItems=0"), 400, invalid, constraint("", "maxItems", least+"1")},
		"ListUsers, negative items":  {call("ListUsers", "MaxItems=-1"), 400, invalid, constraint("", "maxItems", least+"1")},
		"ListUsers, many items":      {call("ListUsers", "MaxItems=1001"), 400, invalid, constraint("", "maxItems", most+"1000")},
		"ListUsers, items in words":  {call("ListUsers", "MaxItems=ten"), 400, invalid, constraint("ten", "maxItems", integer)},
		"ListUsers, empty items":     {call("ListUsers", "MaxItems="), 400, invalid, constraint("", "maxItems", integer)},
		"ListUsers, empty marker":    {call("ListUsers", "Marker="), 400, invalid, constraint("", "marker", shortest+"1")},
		"ListUsers, long marker":     {call("ListUsers", "Marker="+long(1025)), 400, invalid, constraint("", "marker", longest+"1024")},
		"CreateAccessKey, bad name":  {call("CreateAccessKey", "UserName=%3Cx%3E"), 400, invalid, badName},
		"CreateAccessKey, empty":     {call("CreateAccessKey", "UserName="), 400, invalid, constraint("", "userName", shortest+"1")},
		"CreateAccessKey, unknown":   {call("CreateAccessKey", "UserName=nobody"), 404, "NoSuchEntity", "The user with name nobody cannot be found."},
		"UpdateAccessKey, no key":    {call("UpdateAccessKey", "Status=Active"), 400, absent, missing + "AccessKeyId."},
		"UpdateAccessKey, no status": {call("UpdateAccessKey", key), 400, absent, missing + "Status."},
		"UpdateAccessKey, Expired":   {call("UpdateAccessKey", key+"&Status=Expired"), 400, invalid, constraint("Expired", "status", "Member must satisfy enum value set: [Active, Inactive]")},
		"UpdateAccessKey, active":    {call("UpdateAccessKey", key+"&Status=active"), 400, invalid, constraint("active", "status", "Member must satisfy enum value set: [Active, Inactive]")},
		"UpdateAccessKey, empty":     {call("UpdateAccessKey", key+"&Status="), 400, invalid, constraint("", "status", "Member must satisfy enum value set: [Active, Inactive]")},
		"UpdateAccessKey, short key": {call("UpdateAccessKey", "AccessKeyId=AKIA&Status=Active"), 400, invalid, constraint("", "accessKeyId", shortest+"16")},
		"DeleteAccessKey, no key":    {call("DeleteAccessKey", "UserName=alice"), 400, absent, missing + "AccessKeyId."},
		"DeleteAccessKey, long key":  {call("DeleteAccessKey", "AccessKeyId="+long(129)), 400, invalid, constraint("", "accessKeyId", longest+"128")},
		"DeleteAccessKey, bad key":   {call("DeleteAccessKey", "AccessKeyId=AKIA-OSFODNN7EXAMPLE"), 400, invalid, badKey},
		"DeleteAccessKey, unknown":   {call("DeleteAccessKey", "AccessKeyId=AKIAXXXXXXXXXXXXXXXX"), 404, "NoSuchEntity", "The Access Key with id AKIAXXXXXXXXXXXXXXXX cannot be found"},
		"LastUsed, no key":           {call("GetAccessKeyLastUsed", ""), 400, absent, missing + "AccessKeyId."},
		"LastUsed, unknown":          {call("GetAccessKeyLastUsed", "AccessKeyId=AKIAXXXXXXXXXXXXXXXX"), 404, "NoSuchEntity", "The Access Key with id AKIAXXXXXXXXXXXXXXXX cannot be found"},
		"ListAccessKeys, many items": {call("ListAccessKeys", "MaxItems=99999999999"), 400, invalid, constraint("99999999999", "maxItems", integer)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			quietHandler().ServeHTTP(w, wiretest.Request(t, tt.raw))
			namespace := awswire.NamespaceIAM
			if tt.code == "InvalidAction" {
				namespace = awswire.NamespaceFault
			}
			checkError(t, w, tt.status, tt.code, tt.message, namespace)
			if got := w.Header().Get("Allow"); (got != "") != (tt.status == 405) {
				t.Errorf("got Allow %q", got)
			}
		})
	}
}

// TestGoodBounds sends parameters at the edge of what is allowed.
func TestGoodBounds(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		call("CreateUser", "UserName="+strings.Repeat("a", 64)+"&Path=/"+strings.Repeat("!", 510)+"/"+tags(50)),
		call("CreateUser", "UserName=aZ09%2B%3D,.@_-"),
		call("CreateUser", "UserName=new&Tags.member.1.Key=%C3%84+1_.:/%3D%2B-@&Tags.member.1.Value="),
		call("ListUsers", "MaxItems=1000&PathPrefix=/te&Marker="+strings.Repeat("a", 1024)),
		call("UpdateUser", "UserName=alice"),
	} {
		w := httptest.NewRecorder()
		quietHandler().ServeHTTP(w, wiretest.Request(t, raw))
		if w.Code != 200 {
			t.Errorf("%s\ngot %d %s", raw, w.Code, w.Body)
		}
	}
}
