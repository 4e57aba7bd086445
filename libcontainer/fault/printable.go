package fault

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Printable escapes what a terminal would obey and what is no text: a name out of the
// config, which is the image's or anybody's, is in many an error.
func Printable(text string) string {
	var out strings.Builder
	for at, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[at:], string(utf8.RuneError)):
			fmt.Fprintf(&out, `\x%02x`, text[at])
		case r < ' ' && r != '\t', r >= 0x7f && r < 0xa0:
			fmt.Fprintf(&out, `\x%02x`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
