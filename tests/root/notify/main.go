// Command notify sends datagrams to a socket, as sd_notify(3) does: notify SOCKET
// MESSAGE…; and stays for a moment, as a service does.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	conn, err := net.Dial("unixgram", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, message := range os.Args[2:] {
		if _, err := conn.Write([]byte(message)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	time.Sleep(500 * time.Millisecond)
}
