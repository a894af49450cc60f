package directory

import (
	"bytes"
	"context"
	"encoding/csv"
	"slices"
	"strconv"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// reportLife is how long a report is served before a new one must be asked for.
const reportLife = 4 * time.Hour

// reportColumns are those of AWS's credential report.
var reportColumns = []string{
	"user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed",
	"password_next_rotation", "mfa_active",
	"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
	"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date", "access_key_2_last_used_region", "access_key_2_last_used_service",
	"cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
}

const notApplicable = "N/A"

// GenerateCredentialReport asks for a report; fresh is false when there was one
// that is still served (IAM GenerateCredentialReport).
func (d *Directory) GenerateCredentialReport(ctx context.Context, c *identity.Caller) (fresh bool, err error) {
	if err := d.permit(c, "iam:GenerateCredentialReport", "*", c.AccountID); err != nil {
		return false, err
	}
	now := d.clock.Now().UTC()
	err = d.change(ctx, c, audit.Change(c, iamSource, "GenerateCredentialReport", nil), func(tx store.Tx) error {
		have, err := store.CredentialReports.Get(tx, c.AccountID)
		if err == nil && now.Sub(have.At) < reportLife {
			return nil
		}
		if orAbsent(err) != nil {
			return err
		}
		fresh = true
		return store.CredentialReports.Put(tx, &store.CredentialReport{AccountID: c.AccountID, At: now})
	})
	return fresh, err
}

// CredentialReport is the report that was asked for, as CSV, with the state of
// now (IAM GetCredentialReport). KindNotFound ("ReportNotPresent",
// "ReportExpired") when none was asked for in the last four hours.
func (d *Directory) CredentialReport(ctx context.Context, c *identity.Caller) (content []byte, at time.Time, err error) {
	if err := d.permit(c, "iam:GetCredentialReport", "*", c.AccountID); err != nil {
		return nil, at, err
	}
	absent := func(code, sentence string) error {
		return &identity.Error{Kind: identity.KindNotFound, Op: "directory.report", Public: sentence, Detail: []identity.Detail{{Name: "QueryCode", Value: code}}}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(reportColumns)
	err = d.db.View(ctx, func(r store.Reader) error {
		asked, err := store.CredentialReports.Get(r, c.AccountID)
		if err != nil {
			return ifAbsent(err, absent("ReportNotPresent", "No report has been generated. Use GenerateCredentialReport."))
		}
		if at = asked.At; d.clock.Now().Sub(at) >= reportLife {
			return absent("ReportExpired", "The report is older than four hours. Use GenerateCredentialReport.")
		}
		acc, err := store.Accounts.Get(r, c.AccountID)
		if err != nil {
			return err
		}
		for after := (store.After{}); ; {
			list, err := store.Users.List(r, "path", store.Join(c.AccountID, "/"), after, 1000)
			if err != nil {
				return err
			}
			for _, u := range list {
				line, err := reportLine(r, acc, u)
				if err != nil {
					return err
				}
				_ = w.Write(line)
				after = store.After{Value: store.Join(u.AccountID, u.Path+u.Name), Key: u.ID}
			}
			if len(list) == 0 {
				return nil
			}
		}
	})
	w.Flush()
	if err != nil {
		return nil, at, err
	}
	return b.Bytes(), at, nil
}

func reportLine(r store.Reader, acc *identity.Account, u *identity.User) ([]string, error) {
	name := u.Name
	if u.Root {
		name = "<root_account>"
	}
	line := []string{name, u.ARN(acc.Partition), stamp(u.CreatedAt)}
	pw, err := store.Passwords.Get(r, u.ID)
	switch {
	case identity.KindOf(err) == identity.KindNotFound:
		line = append(line, "false", notApplicable, notApplicable, notApplicable)
	case err != nil:
		return nil, err
	default:
		next := notApplicable
		if p := acc.PasswordPolicy; p != nil && p.MaxAgeDays > 0 && !u.Root {
			next = stamp(pw.ChangedAt.AddDate(0, 0, p.MaxAgeDays))
		}
		last := "no_information"
		use, err := lastUse(r, u.ID)
		if err != nil {
			return nil, err
		}
		if !use.At.IsZero() {
			last = stamp(use.At)
		}
		line = append(line, "true", last, stamp(pw.ChangedAt), next)
	}
	devices, err := store.MFADevices.List(r, "user", store.Join(u.ID, ""), store.After{}, 1)
	if err != nil {
		return nil, err
	}
	line = append(line, strconv.FormatBool(len(devices) > 0))
	keys, err := store.AccessKeys.List(r, "user", u.ID, store.After{}, 0)
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(k *identity.AccessKey) bool { return k.UserID != u.ID })
	for i := range identity.AccessKeysPerUser {
		if i >= len(keys) {
			line = append(line, "false", notApplicable, notApplicable, notApplicable, notApplicable)
			continue
		}
		use, err := store.KeyUses.Get(r, keys[i].ID)
		if orAbsent(err) != nil {
			return nil, err
		}
		line = append(line, strconv.FormatBool(keys[i].Active), stamp(keys[i].CreatedAt))
		if err != nil {
			line = append(line, notApplicable, notApplicable, notApplicable)
		} else {
			line = append(line, stamp(use.At), use.Region, use.Service)
		}
	}
	return append(line, "false", notApplicable, "false", notApplicable), nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05+00:00") }
