// Writes minio.json: requests with signed chunks as minio-go sends them, with a
// fixed clock. A chunk of 64 KiB of the letter a is written as <64K>.
//
// Run it in a module that requires github.com/minio/minio-go/v7:
// go run sign_with_minio.go > minio.json
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/signer"
)

type hasher struct{ hash.Hash }

func (hasher) Close() {}

type vector struct {
	Name, Method, Host, Target, Body string
	Headers                          http.Header
	ContentLength                    int64
	DecodedLength                    int
}

func main() {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const id, secret, token = "ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoG/+ZXIv=YXdzEBYaDK0=="
	var out []vector
	for _, c := range []minio.ChecksumType{0, minio.ChecksumCRC32, minio.ChecksumCRC32C, minio.ChecksumCRC64NVME, minio.ChecksumSHA1, minio.ChecksumSHA256} {
		for _, n := range []int{1, 5, 65536, 65541, 131072} {
			content := strings.Repeat("a", n)
			r, err := http.NewRequest(http.MethodPut, "http://127.0.0.1:8080/bucket/a%20key", strings.NewReader(content))
			if err != nil {
				log.Fatal(err)
			}
			name := "none"
			if c != 0 {
				h := c.Hasher()
				io.WriteString(h, content)
				r.Trailer = http.Header{c.Key(): {base64.StdEncoding.EncodeToString(h.Sum(nil))}}
				name = c.String()
			}
			r = signer.StreamingSignV4(r, id, secret, token, "us-east-1", int64(n), now, hasher{sha256.New()})
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				log.Fatal(err)
			}
			out = append(out, vector{
				Name: name, Method: r.Method, Host: r.URL.Host, Target: r.URL.RequestURI(), Headers: r.Header, ContentLength: r.ContentLength, DecodedLength: n,
				Body: string(bytes.ReplaceAll(raw, bytes.Repeat([]byte("a"), 65536), []byte("<64K>"))),
			})
		}
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		log.Fatal(err)
	}
}
