// Fetches each URL with net/http over IPv4, or over IPv6 with the prefix "6:".
// usage: client [6:]URL...
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	for _, url := range os.Args[1:] {
		network := "tcp4"
		if strings.HasPrefix(url, "6:") {
			network, url = "tcp6", url[2:]
		}
		// The family is given to the resolver too, so that the other family is not asked for.
		dial := func(ctx context.Context, _, address string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
		}
		client := http.Client{Transport: &http.Transport{DialContext: dial, ForceAttemptHTTP2: true}, Timeout: 5 * time.Second}
		answer, err := client.Get(url)
		if err != nil {
			fmt.Println(url, err)
			continue
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		fmt.Println(url, answer.Status)
	}
}
