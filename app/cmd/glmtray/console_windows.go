package main

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// hideConsole hides the console window that Windows opened for this process alone, as
// it does when the program is started by a click and not from a terminal.
func hideConsole() {
	kernel, user := windows.NewLazySystemDLL("kernel32.dll"), windows.NewLazySystemDLL("user32.dll")
	list, console, show := kernel.NewProc("GetConsoleProcessList"), kernel.NewProc("GetConsoleWindow"), user.NewProc("ShowWindow")
	if list.Find() != nil || console.Find() != nil || show.Find() != nil {
		return
	}
	var processes [2]uint32
	n, _, _ := list.Call(uintptr(unsafe.Pointer(&processes[0])), uintptr(len(processes)))
	if handle, _, _ := console.Call(); n == 1 && handle != 0 {
		const hide = 0 // SW_HIDE
		_, _, _ = show.Call(handle, hide)
	}
}
