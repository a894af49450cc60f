package ibm

import "daypass/internal/issue"

func (h *Handler) byAssume(c *call, f form, client issue.IBMClient) (issue.IBMTokens, error) {
	token, err := f.needSecret("access_token")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	which := f.profile()
	if which.ID == "" && which.CRN == "" {
		if _, err := f.need("profile_name"); err != nil {
			return issue.IBMTokens{}, err
		}
		if _, err := f.need("account"); err != nil {
			return issue.IBMTokens{}, err
		}
	}
	return h.Issuer.IBMAssume(c.ctx, issue.IBMAssumeGrant{Access: token, Profile: which, Client: client})
}

func (h *Handler) byCRToken(c *call, f form, client issue.IBMClient) (issue.IBMTokens, error) {
	token, err := f.needSecret("cr_token")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	return h.Issuer.IBMCRToken(c.ctx, issue.IBMCRGrant{Token: token, Profile: f.profile(), Client: client})
}

// profile is which trusted profile is asked for.
func (f form) profile() issue.IBMProfileName {
	return issue.IBMProfileName{ID: f["profile_id"], Name: f["profile_name"], CRN: f["profile_crn"], Account: f["account"]}
}
