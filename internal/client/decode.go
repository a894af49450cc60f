package client

import (
	"context"
	"net/url"
)

const openingMessage = "opening the encoded message"

// DecodeMessage opens the encoded message at the end of a refusal (STS
// DecodeAuthorizationMessage) and returns its JSON.
func (k *Keeper) DecodeMessage(ctx context.Context, keys Keys, encoded string) (string, error) {
	w := k.wire
	a, err := w.post(ctx, openingMessage, "/", url.Values{
		"Action": {"DecodeAuthorizationMessage"}, "Version": {versionSTS}, "EncodedMessage": {encoded},
	}, &keys)
	if err != nil {
		return "", err
	}
	var answer struct {
		Decoded string `xml:"DecodeAuthorizationMessageResult>DecodedMessage"`
	}
	if err := w.result(openingMessage, a, &answer); err != nil {
		return "", err
	}
	if answer.Decoded == "" {
		return "", w.notOurs(openingMessage, a)
	}
	return answer.Decoded, nil
}
