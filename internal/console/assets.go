package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// assetTypes are what is served: styles and scripts. Licences are not.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// asset is a file that pages use. Its address changes with what it holds, so
// that browsers may keep it.
type asset struct {
	content            []byte
	kind, url, version string
}

func loadAssets() (map[string]asset, error) {
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	out := map[string]asset{}
	for _, f := range files {
		kind := assetTypes[path.Ext(f.Name())]
		if kind == "" {
			continue
		}
		b, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		a := asset{content: b, kind: kind, version: hex.EncodeToString(sum[:6])}
		a.url = "/assets/" + f.Name() + "?v=" + a.version
		out[f.Name()] = a
	}
	return out, nil
}

func (c *Console) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := c.assets[r.PathValue("name")]
	if !ok {
		c.fail(&visit{w: w, r: r}, notFound(c, nil))
		return
	}
	w.Header().Set("Content-Type", a.kind)
	if r.URL.Query().Get("v") == a.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.content))
}
