package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// tamperings are all changes of one upload.
func tamperings(u *wireUpload) []tampering {
	out := headTamperings(u)
	out = append(out, bodyTamperings(u)...)
	out = append(out, lengthTamperings(u)...)
	for pieces := range len(u.body) {
		name := "cut before the " + u.body[pieces].name
		out = append(out,
			tampering{name: name, cut: true, pieces: pieces, end: endHalfClose, want: incomplete},
			tampering{name: name + ", reset", cut: true, pieces: pieces, end: endReset})
		if data := u.body[pieces]; len(data.text) > 2 {
			half := func(n int) func(*wireUpload) {
				return func(u *wireUpload) { u.body[pieces].text = u.body[pieces].text[:n] }
			}
			for _, n := range []int{1, len(data.text) / 2, len(data.text) - 1} {
				name := fmt.Sprintf("cut after %d bytes of the %s", n, data.name)
				out = append(out,
					tampering{name: name, change: half(n), cut: true, pieces: pieces + 1, end: endHalfClose, want: incomplete},
					tampering{name: name + ", reset", change: half(n), cut: true, pieces: pieces + 1, end: endReset})
			}
		}
	}
	return out
}

// headTamperings change, repeat, take away and add headers.
func headTamperings(u *wireUpload) []tampering {
	// net/http then takes the coding's framing, and drops the length.
	coded := "411 MissingContentLength"
	if _, framed := bodyMode(u); framed {
		coded = "400 InvalidChunkSizeError"
	}
	edit := func(name, old, now string) func(*wireUpload) {
		return func(u *wireUpload) {
			u.edit(name, func(s string) string {
				changed := strings.Replace(s, old, now, 1)
				if changed == s {
					panic("no " + old + " in " + s)
				}
				return changed
			})
		}
	}
	add := func(line string) func(*wireUpload) {
		return func(u *wireUpload) { u.head = append(u.head, segment{"added", line + "\r\n"}) }
	}
	out := []tampering{
		{name: "method", change: edit(segLine, "PUT", "POST"), want: mismatch},
		{name: "key", change: edit(segLine, "/tampered/", "/tampered/x"), want: mismatch},
		{name: "unsigned metadata added", change: add("X-Amz-Meta-Size: large"), want: "403 AccessDenied"},
		{name: "unsigned tags added", change: add("X-Amz-Tagging: a=b"), want: "403 AccessDenied"},
		{name: "unsigned copy source added", change: add("X-Amz-Copy-Source: /tampered/kept"), want: "403 AccessDenied"},
		{name: "signature", change: lastCharacter("Authorization"), want: mismatch},
		// The token is of another key then.
		{name: "access key", change: edit("Authorization", "Credential=ASIA", "Credential=ASIB"), want: "400 InvalidToken"},
		{name: "transfer coding added", change: add("Transfer-Encoding: chunked"), want: coded},
		{name: "signed headers", change: edit("Authorization", "content-type;", ""), want: mismatch},
	}
	for _, h := range u.head[1:] {
		want := mismatch
		switch h.name {
		case "X-Amz-Security-Token":
			want = "400 InvalidToken"
		case "Authorization":
			continue
		case "X-Amz-Content-Sha256":
			other := modeUnsigned
			if strings.Contains(h.text, modeUnsigned) {
				other = hexSum("")
			}
			out = append(out, tampering{name: "another mode", change: func(u *wireUpload) {
				u.edit(h.name, func(string) string { return h.name + ": " + other + "\r\n" })
			}, want: mismatch})
			if mode, _ := bodyMode(u); mode == modeHashed {
				break
			}
			if want = "400 InvalidArgument"; strings.Contains(h.text, "STREAMING-AWS4-") {
				want = "501 NotImplemented"
			}
		case "X-Amz-Trailer":
			want = "400 InvalidRequest"
		case "X-Amz-Date":
			// The last character is a Z that must stay.
			out = append(out, tampering{name: "a second later", change: func(u *wireUpload) {
				u.edit(h.name, func(s string) string {
					at := len(s) - len("0Z\r\n")
					return s[:at] + string('0'+('9'-s[at])) + s[at+1:]
				})
			}, want: mismatch})
			want = "403 AccessDenied"
		}
		out = append(out, tampering{name: "header " + h.name, change: lastCharacter(h.name), want: want})
	}
	return out
}

// lastCharacter changes the last character of a line to another of its kind.
func lastCharacter(name string) func(*wireUpload) {
	return func(u *wireUpload) {
		u.edit(name, func(s string) string {
			at := len(s) - len("\r\n") - 1
			now := byte('1')
			switch c := s[at]; {
			case c == '1':
				now = '2'
			case c >= 'a' && c <= 'z' && c != 'b' || c == '0':
				now = 'b'
				if c == '0' {
					now = '1'
				}
			case c >= 'A' && c <= 'Z':
				now = 'B'
			}
			return s[:at] + string(now) + s[at+1:]
		})
	}
}

// bodyTamperings change bytes of the body, and its order.
func bodyTamperings(u *wireUpload) []tampering {
	mode, framed := bodyMode(u)
	if mode == modeUnsigned {
		return nil // nothing covers its bytes
	}
	wrong := map[string]string{
		modeHashed: "400 XAmzContentSHA256Mismatch", modeTrailer: "400 BadDigest", modeChunks: mismatch, modeChunksTrailer: mismatch,
	}[mode]
	var out []tampering
	for i := range wireChunks {
		for _, at := range []int{0, 100, len(wireChunks[i]) - 1} {
			out = append(out, tampering{name: fmt.Sprintf("byte %d of the %s", at, segData(i)), change: func(u *wireUpload) {
				u.edit(segData(i), func(s string) string { return s[:at] + "#" + s[at+1:] })
			}, want: wrong})
		}
	}
	out = append(out, tampering{name: "chunks exchanged", change: func(u *wireUpload) {
		a, b := index(u.body, segData(0)), index(u.body, segData(1))
		u.body[a].text, u.body[b].text = u.body[b].text, u.body[a].text
		if mode == modeChunks || mode == modeChunksTrailer {
			a, b = index(u.body, segSize(0)), index(u.body, segSize(1))
			u.body[a].text, u.body[b].text = u.body[b].text, u.body[a].text
		}
	}, want: wrong})
	if !framed {
		return out
	}
	signed := mode != modeTrailer
	if signed {
		for i := range zeroChunk + 1 {
			out = append(out, tampering{name: "signature of the " + segSize(i), change: lastCharacter(segSize(i)), want: mismatch})
		}
	}
	if mode != modeChunks {
		out = append(out, trailerTamperings(signed)...)
	}
	return append(out, frameTamperings(mode)...)
}

// trailerTamperings change what stands after the zero chunk.
func trailerTamperings(signed bool) []tampering {
	wrong := "400 BadDigest"
	if signed {
		wrong = mismatch
	}
	out := []tampering{
		{name: "checksum", change: func(u *wireUpload) {
			u.edit(segTrailer, func(s string) string {
				name, _, _ := strings.Cut(s, ":")
				return name + ":" + sumOf(strings.TrimPrefix(name, "x-amz-checksum-"), "other") + "\r\n"
			})
		}, want: wrong},
		{name: "name of the trailer", change: func(u *wireUpload) {
			u.edit(segTrailer, func(s string) string { return strings.Replace(s, "x-amz-checksum-", "x-amz-checksum-x", 1) })
		}, want: "400 InvalidRequest"},
		{name: "trailer without a colon", change: func(u *wireUpload) {
			u.edit(segTrailer, func(s string) string { return strings.Replace(s, ":", " ", 1) })
		}, want: "400 MalformedTrailerError"},
		{name: "trailer taken away", change: func(u *wireUpload) {
			at := index(u.body, segTrailer)
			u.body = slices.Delete(u.body, at, at+1)
		}, want: "400 InvalidRequest"},
		{name: "trailer twice", change: func(u *wireUpload) {
			at := index(u.body, segTrailer)
			u.body = slices.Insert(u.body, at, u.body[at])
		}, want: "400 MalformedTrailerError"},
		{name: "another trailer", change: func(u *wireUpload) {
			u.body = slices.Insert(u.body, index(u.body, segTrailer), segment{"added", "x-amz-meta-more:1\r\n"})
		}, want: "400 InvalidRequest"},
	}
	if signed {
		out = append(out,
			tampering{name: segSigned, change: lastCharacter(segSigned), want: mismatch},
			tampering{name: segSigned + " taken away", change: func(u *wireUpload) {
				at := index(u.body, segSigned)
				u.body = slices.Delete(u.body, at, at+1)
			}, want: "400 MalformedTrailerError"})
	}
	return out
}

func bodyMode(u *wireUpload) (mode string, framed bool) {
	text := u.head[index(u.head, "X-Amz-Content-Sha256")].text
	for _, m := range []string{modeTrailer, modeChunksTrailer, modeChunks, modeUnsigned} {
		if strings.Contains(text, ": "+m+"\r\n") {
			return m, m != modeUnsigned
		}
	}
	return modeHashed, false
}

// frameTamperings change what stands around the data of chunks.
func frameTamperings(mode string) []tampering {
	size := func(i int, now string) func(*wireUpload) {
		return func(u *wireUpload) {
			u.edit(segSize(i), func(s string) string {
				rest := strings.TrimLeft(s, "0123456789abcdef")
				return now + rest
			})
		}
	}
	drop := func(i int) func(*wireUpload) {
		return func(u *wireUpload) {
			at := index(u.body, segSize(i))
			u.body = slices.Delete(u.body, at, at+3)
		}
	}
	dropped := mismatch
	if mode == modeTrailer {
		dropped = incomplete
	}
	return []tampering{
		{name: "size that is no number", change: size(0, "xyz"), want: "400 InvalidChunkSizeError"},
		{name: "size below zero", change: size(0, "-2000"), want: "400 InvalidChunkSizeError"},
		{name: "size beyond all", change: size(0, "ffffffffffffffff"), want: "400 InvalidChunkSizeError"},
		{name: "size that is empty", change: size(0, ""), want: "400 InvalidChunkSizeError"},
		{name: "size one more", change: size(0, "2001"), want: "400 InvalidChunkSizeError"},
		{name: "size one less", change: size(1, "1fff"), want: "400 InvalidChunkSizeError"},
		{name: "size of the last one more", change: size(2, "3e9"), want: incomplete},
		{name: "no line after a chunk", change: func(u *wireUpload) { u.edit(segAfter(1), func(string) string { return "xx" }) }, want: "400 InvalidChunkSizeError"},
		{name: "first chunk taken away", change: drop(0), want: dropped},
		{name: "middle chunk taken away", change: drop(1), want: dropped},
		{name: "last chunk taken away", change: drop(2), want: incomplete},
		{name: "chunk repeated", change: func(u *wireUpload) {
			at := index(u.body, segSize(1))
			u.body = slices.Insert(u.body, at, slices.Clone(u.body[at:at+3])...)
		}, want: incomplete},
	}
}

// lengthTamperings change Content-Length alone.
func lengthTamperings(u *wireUpload) []tampering {
	more := tampering{name: "length one more", length: 1, end: endHalfClose, want: incomplete}
	less := incomplete
	switch mode, _ := bodyMode(u); mode {
	case modeHashed:
		less = "400 XAmzContentSHA256Mismatch"
	case modeUnsigned:
		return []tampering{more} // a shorter one is another upload, and whole
	}
	return []tampering{
		more,
		{name: "length one less", length: -1, end: endHalfClose, want: less},
		{name: "length one chunk less", length: -len(wireChunks[2]), end: endHalfClose, want: less},
	}
}
