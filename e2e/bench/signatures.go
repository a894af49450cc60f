package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"time"
)

// signatures are what the algorithms of tokens cost by themselves.
type signatures struct {
	signRSA, verifyRSA, verifyECDSA func() error
}

func newSignatures() (*signatures, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("what is signed"))
	signed, err1 := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	der, err2 := ecdsa.SignASN1(rand.Reader, curve, sum[:])
	return &signatures{
		signRSA: func() error {
			_, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
			return err
		},
		verifyRSA: func() error { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signed) },
		verifyECDSA: func() error {
			if !ecdsa.VerifyASN1(&curve.PublicKey, sum[:], der) {
				return errors.New("a good signature is refused")
			}
			return nil
		},
	}, errors.Join(err1, err2)
}

// cost is the CPU time of one call of work, the median of some rounds.
func (b *bench) cost(work func() error) (time.Duration, error) {
	var all []time.Duration
	for range b.rounds {
		one, err := busyCost(b.duration/2, work)
		if err != nil {
			return 0, err
		}
		all = append(all, one)
	}
	return median(all), nil
}
