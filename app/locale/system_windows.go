package locale

import "golang.org/x/sys/windows"

// fromSystem returns the languages that the person's account asks for.
func fromSystem() []string {
	list, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil {
		return nil
	}
	return list
}
