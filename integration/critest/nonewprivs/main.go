// Command nonewprivs is what critest's image of that name runs, set-user-ID: it says
// whether that made it root.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Printf("Effective uid: %d\n", os.Geteuid())
}
