# The network of the laboratory: a switch, a server and four clients, each a network namespace.
#
#   ut-c1 10.77.0.11 --+
#   ut-c2 10.77.0.12 --+-- ut-switch (bridge) -- ut-server 10.77.0.53 (DNS), 10.77.0.101 ... (web)
#   ut-c3 10.77.0.13 --+        ^
#   ut-c4 10.77.0.14 --+        the capture is taken at the switch's port to the server, as from a SPAN port
#
# Nothing here is joined to the host: there is no link, no NAT and no default route that leads out.

CLIENTS="1 2 3 4"
PORT=p-server # the switch's port to the server: where captures are taken

net_up() {
    net_down
    local ns c
    for ns in ut-switch ut-server $(for c in $CLIENTS; do echo ut-c$c; done); do
        ip netns add $ns
        # No router solicitations, no waiting for duplicate addresses: less noise, sooner ready.
        ip netns exec $ns sysctl -qw net.ipv6.conf.default.accept_dad=0 \
            net.ipv6.conf.default.router_solicitations=0 net.ipv6.conf.default.autoconf=0 \
            net.ipv4.ip_unprivileged_port_start=0 net.ipv4.ping_group_range='0 1000' 2>/dev/null || true
        ip -n $ns link set lo up
    done
    ip -n ut-switch link add br0 type bridge mcast_snooping 0
    ip netns exec ut-switch sysctl -qw net.ipv6.conf.br0.disable_ipv6=1
    ip -n ut-switch link set br0 up
    plug ut-server p-server 02:77:00:00:00:53
    ip -n ut-server addr add 10.77.0.53/24 dev eth0
    ip -n ut-server addr add fd77::53/64 dev eth0 nodad
    names | while read -r name _ v4 v6; do
        echo "addr add $v4/24 dev eth0"
        echo "addr add $v6/64 dev eth0 nodad"
    done | ip -n ut-server -batch -
    mkdir -p /etc/netns/ut-server # for proxies, which ask DNS themselves
    echo "nameserver 10.77.0.53" >/etc/netns/ut-server/resolv.conf
    echo "hosts: files dns" >/etc/netns/ut-server/nsswitch.conf
    for c in $CLIENTS; do
        plug ut-c$c p-c$c 02:77:00:00:00:1$c
        ip -n ut-c$c addr add 10.77.0.1$c/24 dev eth0
        ip -n ut-c$c addr add fd77::1$c/64 dev eth0 nodad
        # Chromium asks for AAAA only if it finds a route to this address. It ends in the server's namespace.
        ip -n ut-c$c route add 2001:4860:4860::8888/128 via fd77::53
        mkdir -p /etc/netns/ut-c$c
        echo "nameserver 10.77.0.53" >/etc/netns/ut-c$c/resolv.conf
        echo "127.0.0.1 localhost $(hostname)" >/etc/netns/ut-c$c/hosts
        echo "hosts: files dns" >/etc/netns/ut-c$c/nsswitch.conf
    done
}

# plug NAMESPACE PORT MAC: a cable from eth0 of the namespace to a port of the switch. Offloads are off, so that
# the capture holds segments and checksums as a wire would carry them, and not the super-segments of the kernel.
plug() {
    ip link add eth0 netns "$1" address "$3" type veth peer name "$2" netns ut-switch
    ip -n ut-switch link set "$2" master br0
    ip netns exec ut-switch sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
    ip netns exec "$1" ethtool -K eth0 tso off gso off gro off tx off rx off >/dev/null
    ip netns exec ut-switch ethtool -K "$2" tso off gso off gro off tx off rx off >/dev/null
    ip -n "$1" link set eth0 up
    ip -n ut-switch link set "$2" up
}

# net_down: end what runs in our namespaces (and nothing else), and take the namespaces away.
net_down() {
    local ns
    for ns in ut-switch ut-server ut-inner ut-left ut-right $(for c in $CLIENTS; do echo ut-c$c; done); do
        if [ -e /run/netns/$ns ]; then
            ip netns pids $ns 2>/dev/null | xargs -r kill -9 2>/dev/null || true
            ip netns del $ns 2>/dev/null || true
        fi
        rm -rf "/etc/netns/$ns"
    done
}

# names: the table of names.txt with addresses: name, kind, IPv4, IPv6.
names() {
    sed 's/#.*//' "$LAB/names.txt" | awk 'NF { n++; printf "%s %s 10.77.0.%d fd77::%d\n", $1, $2, 100 + n, 100 + n }'
}
v4() { names | awk -v n="$1" '$1 == n { print $3 }'; }
v6() { names | awk -v n="$1" '$1 == n { print $4 }'; }

server() { ip netns exec ut-server "$@"; }
switch() { ip netns exec ut-switch "$@"; }

# client N COMMAND...: runs as client N, with a home of its own and nothing of the caller's environment.
client() {
    local n=$1
    shift
    mkdir -p "$TMP/home$n"
    # A client that fails to get an answer still has asked: its exit status is not the recipe's.
    ip netns exec "ut-c$n" env -i PATH="$TMP/bin:$TMP/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME="$TMP/home$n" \
        LANG=C.UTF-8 TMPDIR="$TMP" ${CLIENT_ENV:-} timeout "${CLIENT_TIMEOUT:-40}" "$@" \
        </dev/null >>"$TMP/client.log" 2>&1 || echo "    (exit $?: $*)" >>"$TMP/client.log"
}

# dns_up [EXTRA DNSMASQ ARGUMENTS]: answers the names of names.txt, and NXDOMAIN for all else.
# HTTPS records (type 65): every second name has "1 . alpn=h2", the others have none; those of the
# names in $OWN_HTTPS are left to the case.
dns_up() {
    names | while read -r name _ v4 v6; do
        echo "host-record=$name,$v4,$v6"
        case " ${OWN_HTTPS:-} " in *" $name "*) continue ;; esac
        if ((${v4##*.} % 2)); then echo "dns-rr=$name,65,0001000001000302$(printf h2 | xxd -p)"; fi
    done >"$TMP/names.conf"
    (server dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file="$TMP/names.conf" --local=/#/ \
        --bind-interfaces --listen-address=10.77.0.53,fd77::53 --local-ttl=300 --user=root --pid-file= "$@" \
        >"$TMP/dnsmasq.log" 2>&1 &)
    wait_for server dig +short +tries=1 +time=1 @10.77.0.53 pastebin.com
}

# web_up: nginx on 443, 8443, 2053 (TLS), 4431 (TLS behind the PROXY protocol) and 80, 8080 (plain), a certificate for each name, and a tiny page.
web_up() {
    mkdir -p "$TMP/www" "$TMP/nginx"
    echo ok >"$TMP/www/index.html"
    cp "$TMP/www/index.html" "$TMP/www/x.png"
    {
        cat <<CONF
daemon off; user root; worker_processes 1; pid $TMP/nginx.pid; error_log $TMP/nginx.log;
events { worker_connections 512; }
http {
  access_log off; map_hash_bucket_size 128; client_body_temp_path $TMP/nginx; proxy_temp_path $TMP/nginx;
  fastcgi_temp_path $TMP/nginx; uwsgi_temp_path $TMP/nginx; scgi_temp_path $TMP/nginx;
  map \$ssl_server_name \$crt { default www.example.com;
CONF
        names | awk '{ print "    " $1 " " $1 ";" }'
        cat <<CONF
  }
  server {
    listen 80; listen [::]:80; listen 8080; listen [::]:8080;
    listen 443 ssl http2; listen [::]:443 ssl http2; listen 8443 ssl http2; listen [::]:8443 ssl http2; listen 2053 ssl http2;
    listen 4431 ssl http2 proxy_protocol;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate $TMP/ca/\$crt.pem; ssl_certificate_key $TMP/ca/leaf.key;
    root $TMP/www; default_type text/html; error_page 404 405 =200 /index.html;
  }
}
CONF
    } >"$TMP/nginx.conf"
    (server nginx -p "$TMP" -c "$TMP/nginx.conf" 2>/dev/null &)
    wait_for server curl -sk -o /dev/null https://10.77.0.53/
}

# plain_web_up: port 80 only, where another server has 443.
plain_web_up() {
    mkdir -p "$TMP/www"
    echo ok >"$TMP/www/index.html"
    (server "$TMP/venv/bin/python" -m http.server -d "$TMP/www" --bind :: 80 >>"$TMP/web.log" 2>&1 &)
    wait_for server sh -c "ss -tln | grep -q ':80 '"
}

# wait_for COMMAND...: until it succeeds, five seconds at most.
wait_for() {
    local i
    for i in $(seq 50); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    echo "waited in vain for: $*" >&2
    tail -n 5 "$TMP"/*.log >&2
    return 1
}

# capture FILE [NAMESPACE INTERFACE [TCPDUMP ARGUMENTS...]]: begins a capture; `captured` ends it.
capture() {
    local file=$1 ns=${2:-ut-switch} dev=${3:-$PORT}
    shift $(($# < 3 ? $# : 3))
    mkdir -p "$(dirname "$file")"
    ip netns exec "$ns" tcpdump -i "$dev" -Z root -n -p -s 0 -U --immediate-mode \
        --time-stamp-precision=nano -w "$file" "$@" 2>"$TMP/tcpdump.$$.log" &
    TCPDUMP=$!
    wait_for grep -q "listening on" "$TMP/tcpdump.$$.log"
}
captured() {
    sleep 0.7
    kill -INT "$TCPDUMP"
    wait "$TCPDUMP" || true
}
