package prosody

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed mod_rouse
var module embed.FS

// Extract writes the module's directory mod_rouse into dir, which is made if it
// is not there and then fits Prosody's plugin_paths. What was there is replaced.
func Extract(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, "mod_rouse")); err != nil {
		return err
	}
	return fs.WalkDir(module, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		b, err := module.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o644)
	})
}
