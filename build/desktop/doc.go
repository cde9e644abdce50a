// Package desktop holds the tests that need a desktop: a browser for the log window, a
// panel for the tray, wine for the Windows build. They drive the built program with real
// clicks, and leave pictures in the folder that GLMTRAY_ARTIFACTS names.
//
// They run with the build tag desktop; "make test-desktop" installs what they need.
package desktop
