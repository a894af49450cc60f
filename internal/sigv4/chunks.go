package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"io"
	"strings"
)

const chunkSignature = "chunk-signature="

// ChunkReader decodes STREAMING-AWS4-HMAC-SHA256-PAYLOAD and checks the
// signature of every chunk. See Payload.Reader for what it withholds.
type ChunkReader struct{ frames }

// chunkSeed is where the chain of chunk signatures begins: a request whose own
// signature was found good.
type chunkSeed struct {
	key                              *SigningKey
	timestamp, date, region, service string
	signature                        string
}

// seedChunks is called once the request's own signature is good.
func (s *Signed) seedChunks(key *SigningKey) {
	if s.PayloadMode == PayloadChunks || s.PayloadMode == PayloadChunksTrailer {
		s.seed = &chunkSeed{key, s.timestamp, s.Date, s.Region, s.Service, s.Signature}
	}
}

// chunkReader decodes signed chunks; without a seed, which only Check plants,
// it yields nothing.
func (p Payload) chunkReader(body io.Reader) io.Reader {
	f := newFrames(body, p.DecodedLength)
	if p.seed == nil {
		f.err = refuse(FailureSignatureMismatch)
	} else {
		f.chain = newChain(p.seed)
	}
	if p.PayloadMode == PayloadChunks {
		return &ChunkReader{f}
	}
	if f.err == nil {
		f.setChecksum(p.Trailer)
	}
	return &TrailerReader{f}
}

// chain verifies or makes the signatures of chunks, each of which covers the
// one before.
type chain struct {
	seed     *chunkSeed
	digest   hash.Hash // of the chunk so far
	sum      [sha256.Size]byte
	previous [64]byte
	claimed  [64]byte // in the header of the present chunk
}

func newChain(seed *chunkSeed) *chain {
	c := &chain{seed: seed, digest: sha256.New()}
	copy(c.previous[:], seed.signature)
	return c
}

// claim keeps the signature that a chunk header announces.
func (c *chain) claim(extension string) bool {
	signature, ok := strings.CutPrefix(extension, chunkSignature)
	copy(c.claimed[:], signature)
	return ok && lowerHex64(signature)
}

// endChunk judges the chunk whose content was written to digest.
func (c *chain) endChunk() error {
	got := c.signChunk()
	if subtle.ConstantTimeCompare(got[:], c.claimed[:]) != 1 {
		return refuse(FailureSignatureMismatch)
	}
	return nil
}

// endTrailer judges the trailer with the hash sum.
func (c *chain) endTrailer(sum []byte, signature string) error {
	got := c.sign("-TRAILER", "", sum)
	if subtle.ConstantTimeCompare(got[:], []byte(signature)) != 1 {
		return refuse(FailureSignatureMismatch)
	}
	return nil
}

// signChunk signs what was written to digest and starts the next chunk.
func (c *chain) signChunk() [64]byte {
	c.digest.Sum(c.sum[:0])
	c.digest.Reset()
	return c.sign("-PAYLOAD", EmptySHA256+"\n", c.sum[:])
}

func (c *chain) sign(kind, between string, sum []byte) [64]byte {
	s := scratches.Get().(*scratch)
	defer s.release()
	b := append(s.text[:0], algorithmHMAC...)
	b = append(b, kind...)
	b = append(b, '\n')
	b = append(b, c.seed.timestamp...)
	b = append(b, '\n')
	b = appendScope(b, algorithmHMAC, c.seed.date, c.seed.region, c.seed.service)
	b = append(b, '\n')
	b = append(b, c.previous[:]...)
	b = append(b, '\n')
	b = append(b, between...)
	s.text = hex.AppendEncode(b, sum)
	c.seed.key.mac(s, s.text)
	hex.Encode(c.previous[:], s.sum[:])
	return c.previous
}
