// A TLS server and client with Encrypted Client Hello.
//
//	ech server CERTIFICATE KEY CONFIG CONFIG-KEY
//	ech client LIST|none NAME
package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

func read(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return data
}

func serve(certificate, key, config, configKey string) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		panic(err)
	}
	server := http.Server{
		Addr: ":443",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "ok, ECH:", r.TLS.ECHAccepted, r.TLS.ServerName)
		}),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{pair},
			EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{
				{Config: read(config), PrivateKey: read(configKey), SendAsRetry: true},
			},
		},
	}
	panic(server.ListenAndServeTLS("", ""))
}

func connect(list, name string) {
	config := &tls.Config{ServerName: name}
	if list != "none" {
		config.EncryptedClientHelloConfigList = read(list)
		config.MinVersion = tls.VersionTLS13
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp4", name+":443", config)
	if err != nil {
		fmt.Println(name, err)
		return
	}
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", name)
	answer := make([]byte, 1000)
	n, _ := conn.Read(answer)
	fmt.Println(name, "ECH:", conn.ConnectionState().ECHAccepted, string(answer[:n]))
	conn.Close()
}

func main() {
	if os.Args[1] == "server" {
		serve(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	} else {
		connect(os.Args[2], os.Args[3])
	}
}
