package window

// licenceTable has the licence of each module, as an SPDX expression: where a module has
// code under several, all of them. A test reads the modules' own licence files and holds
// the table against them.
func licenceTable() map[string]string {
	return map[string]string{
		"filippo.io/age":                       "BSD-3-Clause",
		"filippo.io/hpke":                      "BSD-3-Clause",
		"fyne.io/systray":                      "Apache-2.0",
		"git.sr.ht/~jackmordaunt/go-toast":     "MIT",
		"github.com/andybalholm/brotli":        "MIT",
		"github.com/atotto/clipboard":          "BSD-3-Clause",
		"github.com/cenkalti/backoff/v5":       "MIT",
		"github.com/danieljoos/wincred":        "MIT",
		"github.com/ebitengine/purego":         "Apache-2.0",
		"github.com/esiqveland/notify":         "BSD-3-Clause",
		"github.com/fsnotify/fsnotify":         "BSD-3-Clause",
		"github.com/gen2brain/beeep":           "BSD-2-Clause",
		"github.com/go-ole/go-ole":             "MIT",
		"github.com/godbus/dbus/v5":            "BSD-2-Clause",
		"github.com/gofrs/flock":               "BSD-3-Clause",
		"github.com/google/uuid":               "BSD-3-Clause",
		"github.com/inconshreveable/mousetrap": "Apache-2.0",
		"github.com/jackmordaunt/icns/v3":      "MIT",
		"github.com/klauspost/compress":        "Apache-2.0 AND BSD-3-Clause AND MIT",
		"github.com/nfnt/resize":               "ISC",
		"github.com/nicksnyder/go-i18n/v2":     "MIT",
		"github.com/pkg/browser":               "BSD-2-Clause",
		"github.com/sergeymakinen/go-bmp":      "BSD-3-Clause",
		"github.com/sergeymakinen/go-ico":      "BSD-3-Clause",
		"github.com/shirou/gopsutil/v4":        "BSD-3-Clause",
		"github.com/spf13/cobra":               "Apache-2.0",
		"github.com/spf13/pflag":               "BSD-3-Clause",
		"github.com/tadvi/systray":             "MIT",
		"github.com/tklauser/go-sysconf":       "BSD-3-Clause",
		"github.com/tklauser/numcpus":          "Apache-2.0",
		"github.com/yusufpapurcu/wmi":          "MIT",
		"github.com/zalando/go-keyring":        "MIT",
		"golang.org/x/crypto":                  "BSD-3-Clause",
		"golang.org/x/sys":                     "BSD-3-Clause",
		"golang.org/x/term":                    "BSD-3-Clause",
		"golang.org/x/text":                    "BSD-3-Clause",
		"gopkg.in/natefinch/lumberjack.v2":     "MIT",
		"gopkg.in/yaml.v3":                     "Apache-2.0 AND MIT",
		"std":                                  "BSD-3-Clause",
	}
}
