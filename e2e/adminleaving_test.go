package e2e

import (
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func (d *adminDay) reports() {
	ctx := d.t.Context()
	_, err := d.root.iam.GetCredentialReport(ctx, nil)
	d.want("a report nobody asked for", "ReportNotPresent", err)
	_, err = d.root.iam.GenerateCredentialReport(ctx, nil)
	d.check("GenerateCredentialReport", err)
	report, err := d.root.iam.GetCredentialReport(ctx, nil)
	d.check("GetCredentialReport", err)
	rows, err := csv.NewReader(strings.NewReader(string(report.Content))).ReadAll()
	d.check("the report", err)
	cells := map[string]string{}
	for _, row := range rows[1:] {
		for i, cell := range row {
			cells[row[0]+" "+rows[0][i]] = cell
		}
	}
	for name, want := range map[string]string{
		"cara arn": d.cara.arn, "cara password_enabled": "true", "cara mfa_active": "true", "cara access_key_1_active": "true",
		"cara access_key_2_active": "false",
		"testuser mfa_active":      "false", "<root_account> access_key_1_active": "true", "<root_account> arn": d.RootARN(),
	} {
		if cells[name] != want {
			d.t.Errorf("%s is %q, want %q", name, cells[name], want)
		}
	}
	d.details()
}

// details compares what the account holds with what was made today.
func (d *adminDay) details() {
	out, err := d.root.iam.GetAccountAuthorizationDetails(d.t.Context(), &iam.GetAccountAuthorizationDetailsInput{Filter: []iamtypes.EntityType{
		iamtypes.EntityTypeUser, iamtypes.EntityTypeGroup, iamtypes.EntityTypeRole, iamtypes.EntityTypeLocalManagedPolicy,
	}})
	d.check("GetAccountAuthorizationDetails", err)
	got := map[string]string{}
	for _, u := range out.UserDetailList {
		if u.PermissionsBoundary != nil {
			got["boundary of "+*u.UserName] = *u.PermissionsBoundary.PermissionsBoundaryArn
		}
		got["groups of "+*u.UserName] = strings.Join(u.GroupList, " ")
	}
	for _, g := range out.GroupDetailList {
		got["policies of "+*g.GroupName] = *g.AttachedManagedPolicies[0].PolicyArn
	}
	for _, r := range out.RoleDetailList {
		for _, p := range r.AttachedManagedPolicies { // the demo's roles for pools have none
			got["policies of "+*r.RoleName] = *p.PolicyArn
		}
	}
	for _, p := range out.Policies {
		got["policy "+*p.PolicyName] = fmt.Sprint(*p.DefaultVersionId, " of ", len(p.PolicyVersionList), ", on ", *p.AttachmentCount)
	}
	for name, want := range map[string]string{
		"boundary of cara": d.managed["no-deletes"], "groups of cara": "engineers", "policies of engineers": d.managed["engineering"],
		"policies of deploy": d.managed["deploying"], "policy deploying": "v2 of 2, on 1", "policy engineering": "v1 of 1, on 1", "policy no-deletes": "v1 of 1, on 0",
	} {
		if got[name] != want {
			d.t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
}

// leaving takes everything apart: before each step what is deleted too early
// is a conflict.
func (d *adminDay) leaving() {
	k := d.RootKeys()
	user := func(call string, more ...any) Call {
		return iamCall(k, call, append([]any{"UserName", "cara"}, more...)...)
	}
	policy := func(call, name string, more ...any) Call {
		return iamCall(k, call, append([]any{"PolicyArn", d.managed[name]}, more...)...)
	}
	device := iamCall(k, "delete_virtual_mfa_device", "SerialNumber", d.serial)
	group, role := iamCall(k, "delete_group", "GroupName", "engineers"), iamCall(k, "delete_role", "RoleName", "deploy")
	var table []expectation
	step := func(call Call, early ...Call) {
		for _, c := range early {
			table = append(table, expectation{c, 409, "DeleteConflict"})
		}
		table = append(table, expectation{call, 200, ""})
	}
	leave := user("delete_user")
	step(user("delete_access_key", "AccessKeyId", d.caraKeys.AccessKeyID), leave)
	step(user("remove_user_from_group", "GroupName", "engineers"), leave, group)
	step(user("deactivate_mfa_device", "SerialNumber", d.serial), leave, device)
	step(device)
	step(user("delete_login_profile"), leave)
	step(user("delete_user_permissions_boundary"), policy("delete_policy", "no-deletes"))
	step(policy("delete_policy", "no-deletes"))
	step(leave)
	step(iamCall(k, "detach_group_policy", "GroupName", "engineers", "PolicyArn", d.managed["engineering"]), group, policy("delete_policy", "engineering"))
	step(group)
	step(policy("delete_policy", "engineering"))
	step(iamCall(k, "detach_role_policy", "RoleName", "deploy", "PolicyArn", d.managed["deploying"]), role, policy("delete_policy", "deploying"))
	step(role)
	step(policy("delete_policy_version", "deploying", "VersionId", "v1"), policy("delete_policy", "deploying"), policy("delete_policy_version", "deploying", "VersionId", "v2"))
	step(policy("delete_policy", "deploying"))
	step(iamCall(k, "delete_open_id_connect_provider", "OpenIDConnectProviderArn", d.arn("oidc-provider/"+d.issuer.Host())))
	step(iamCall(k, "delete_account_password_policy"))
	step(iamCall(k, "delete_account_alias", "AccountAlias", "day-shift"))
	table = append(table, expectation{leave, 404, "NoSuchEntity"}, expectation{group, 404, "NoSuchEntity"}, expectation{role, 404, "NoSuchEntity"},
		expectation{Call{Keys: d.caraKeys, Service: "sts", Call: "get_caller_identity"}, 403, "InvalidClientTokenId"},
		expectation{Call{Keys: d.sessionWithCodes, Service: "sts", Call: "get_caller_identity"}, 403, "ExpiredToken"})
	expectAll(d.t, d.shell, table)

	p := newPerson(d.t, d.Server)
	r := p.Run(d.binary, "login", "--endpoint", d.URL, "--realm", "shasta", "--username", "cara", "--role", d.roleARN("shasta-admin"), "--password-file", p.Write("password", caraPassword+"\n"))
	if r.Code == 0 {
		d.t.Errorf("who has left logs in: %s", r.Stdout)
	}
	out, err := d.root.iam.GetAccountSummary(d.t.Context(), nil)
	d.check("GetAccountSummary", err)
	for name, want := range map[string]int32{"Users": 2, "Groups": 0, "Roles": 4, "Policies": 0, "MFADevices": 0, "Providers": 1} {
		if got := out.SummaryMap[name]; got != want {
			d.t.Errorf("the account holds %d %s, want %d", got, name, want)
		}
	}
}
