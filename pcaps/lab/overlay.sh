# Overlays between client 1 and the servers. Open vSwitch's datapath in user space is at both ends of a cable, for the kernel at hand has
# no tunnel devices but VXLAN.
#
#   client 1 -- p-c1 [over, ut-left, under] u0 ==== u1 [under, ut-right, over] t2 -- the switch
#                                192.0.2.1   ^   192.0.2.2
#                                            the capture is taken here

# overlay TYPE [OPTION=VALUE...]: a tunnel of Open vSwitch between the two; its other end is added by itself.
overlay() {
    local type=$1
    shift
    cut_cable
    bridges left u0 p-c1 192.0.2.1 192.0.2.2
    bridges right u1 t2 192.0.2.2 192.0.2.1
    local side remote=2
    for side in left right; do
        ovs $side add-port over tun -- set interface tun type="$type" options:remote_ip=192.0.2.$remote "${@/#/options:}"
        remote=1
    done
}

# cut_cable: client 1 is not at the switch any more but in ut-left; ut-right is at the switch instead.
cut_cable() {
    local d
    ip netns add ut-left
    ip netns add ut-right
    ip link add u0 netns ut-left type veth peer name u1 netns ut-right
    ip link add t2 netns ut-right type veth peer name p-trunk netns ut-switch
    ip -n ut-switch link set p-trunk master br0
    ip netns exec ut-switch sysctl -qw net.ipv6.conf.p-trunk.disable_ipv6=1
    ip -n ut-switch link set p-c1 netns ut-left
    for d in "left u0" "left p-c1" "right u1" "right t2" "switch p-trunk"; do
        # shellcheck disable=SC2086
        set -- $d
        ip netns exec ut-$1 sysctl -qw net.ipv6.conf.$2.disable_ipv6=1
        ip netns exec ut-$1 ethtool -K $2 tso off gso off gro off tx off rx off txvlan off rxvlan off >/dev/null 2>&1 || true
        ip -n ut-$1 link set $2 up
    done
    # What is wrapped has to fit into the cable.
    ip -n ut-c1 link set eth0 mtu 1400
}

# bridges SIDE UNDERLAY ACCESS ADDRESS PEER: a switch with a tunnel's way out and the cable of those who know nothing of it.
bridges() {
    local side=$1 dir=$TMP/ovs-$1
    rm -rf "$dir"; mkdir -p "$dir"
    export OVS_RUNDIR=$dir
    ovsdb-tool create "$dir/conf.db" /usr/share/openvswitch/vswitch.ovsschema
    ip netns exec ut-$side ovsdb-server "$dir/conf.db" --remote="punix:$dir/db.sock" --detach --no-chdir \
        --pidfile="$dir/db.pid" --log-file="$dir/db.log" >>"$TMP/ovs.log" 2>&1
    ovs $side --no-wait init
    ip netns exec ut-$side ovs-vswitchd "unix:$dir/db.sock" --disable-system --detach --no-chdir \
        --pidfile="$dir/switch.pid" --log-file="$dir/switch.log" >>"$TMP/ovs.log" 2>&1
    ovs $side add-br under -- set bridge under datapath_type=netdev -- add-port under "$2"
    ovs $side add-br over -- set bridge over datapath_type=netdev -- add-port over "$3"
    ip netns exec ut-$side sysctl -qw net.ipv6.conf.under.disable_ipv6=1 net.ipv6.conf.over.disable_ipv6=1
    ip -n ut-$side addr add "$4/24" dev under
    ip -n ut-$side link set under up
    unset OVS_RUNDIR
}

# ovs SIDE COMMAND...: configures the switch of a side.
ovs() {
    local side=$1
    shift
    ip netns exec ut-$side ovs-vsctl --db="unix:$TMP/ovs-$side/db.sock" --timeout=20 "$@" 2>>"$TMP/ovs.log"
}

# flows SIDE FLOW...: what the upper switch of a side does instead of learning.
flows() {
    local flow control=unix:$TMP/ovs-$1/over.mgmt
    ovs-ofctl -O OpenFlow13 del-flows "$control"
    for flow in "${@:2}"; do ovs-ofctl -O OpenFlow13 add-flow "$control" "$flow"; done
}
