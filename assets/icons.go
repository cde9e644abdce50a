package assets

import (
	"embed"
	"runtime"
)

//go:generate sh -c "cd icons && go run ./gen"

//go:embed icons/*.png icons/*.ico
var icons embed.FS

// TrayIcon is the icon of a state.Face in the form that this system's tray takes: .ico
// on Windows, PNG elsewhere. It is nil for a face that there is not.
func TrayIcon(face string) []byte {
	if runtime.GOOS == "windows" {
		return iconFile(face + ".ico")
	}
	return iconFile(face + ".png")
}

// TrayTemplate is the icon of a state.Face as macOS wants it: black, with the shape in
// the alpha channel, so that the menu bar can colour it.
func TrayTemplate(face string) []byte {
	if runtime.GOOS != "darwin" {
		return nil
	}
	return iconFile(face + "-template.png")
}

// Logo is the program's icon as PNG, 128 pixels wide.
func Logo() []byte { return iconFile("logo.png") }

func iconFile(name string) []byte {
	data, err := icons.ReadFile("icons/" + name)
	if err != nil {
		return nil // the test of the assets finds it
	}
	return data
}
