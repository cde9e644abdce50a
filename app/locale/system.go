package locale

// English and Chinese are the languages that there are catalogues for.
const (
	English = "en"
	Chinese = "zh-Hans"
)

// choose returns the tag of the language for a setting.
func choose(setting string, env func(string) string) string {
	if setting == Chinese {
		return Chinese
	}
	return English
}
