// Command pack compresses what brig embeds, from its input to its output. LZW is
// not the best compression: it is the one whose decoder initialises nothing at
// every start of brig, where that of gzip costs one per cent of a run.
package main

import (
	"compress/lzw"
	"fmt"
	"io"
	"os"
)

func main() {
	w := lzw.NewWriter(os.Stdout, lzw.LSB, 8)
	_, err := io.Copy(w, os.Stdin)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}
