# shellcheck shell=bash
# deploy/lib/tls.sh: HAProxy ends TLS in front of the gateways. Uses `data`, `run`, `log`, `tls_port`,
# `port` and PARLEY_TLS_CERT.

prepare_tls() {
    local folder=$data/tls
    mkdir -p -- "$folder"
    chmod 0700 "$folder"
    certificate=${PARLEY_TLS_CERT:-$folder/self-signed.pem}
    if [[ ${PARLEY_TLS_CERT:-} ]]; then
        [[ -r $certificate ]] || die "PARLEY_TLS_CERT: cannot read $certificate"
        certificate=$(readlink -f -- "$certificate")
    elif ! s_is_valid_for_a_week "$certificate"; then
        s_sign_self "$certificate"
    fi
    s_write_config >"$run/haproxy.cfg"
    haproxy -c -q -f "$run/haproxy.cfg" >"$log/haproxy-check.log" 2>&1 ||
        die "HAProxy refuses to start: $(s_alert "$log/haproxy-check.log") (certificate: $certificate)"
}

s_is_valid_for_a_week() {
    [[ -f $1 ]] && openssl x509 -in "$1" -noout -checkend 604800 >/dev/null 2>&1
}

s_sign_self() {
    local names
    names="DNS:localhost,DNS:$(uname -n),IP:127.0.0.1,IP:::1"
    (
        umask 077
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 \
            -subj /CN=localhost -addext "subjectAltName=$names" \
            -addext 'basicConstraints=critical,CA:FALSE' -addext extendedKeyUsage=serverAuth \
            -keyout "$1.key.new" -out "$1.new"
        cat -- "$1.key.new" >>"$1.new"
    ) >"$log/openssl.log" 2>&1 || die "no certificate: $(last_words "$log/openssl.log")"
    rm -f -- "$1.key.new"
    mv -- "$1.new" "$1"
}

s_alert() {
    local line
    line=$(grep -m 1 -F '[ALERT]' -- "$1" | sed 's/^.*: config : //') || true
    printf '%s' "${line:-$(last_words "$1")}"
}

# No `user` line: HAProxy keeps the user of this script, which can read the key.
s_write_config() {
    cat <<CONFIG
global
    log stderr format short local0 notice
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    log global
    timeout connect 5s
    timeout client 75s
    timeout server 75s
    timeout tunnel 24h
    timeout client-fin 30s
    retries 6
frontend tls
    bind :::$tls_port v4v6 ssl crt $certificate alpn h2,http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    default_backend gateways
backend gateways
    server local 127.0.0.1:$port
CONFIG
}

command_haproxy() {
    become -- haproxy -db -f "$run/haproxy.cfg"
}
