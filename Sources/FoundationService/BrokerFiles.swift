/// Configuration and access list of a mosquitto for one foundation; `edge-config/broker` explains each line.
struct BrokerFiles {
  let settings: FoundationSettings
  let folder: String

  var configuration: String {
    """
    # Made by twind-foundation init. What each line is for: edge-config/broker/mosquitto.conf.
    per_listener_settings false
    # Only the enrolment listener lets anyone in without a certificate, and the access list lets them do one thing.
    allow_anonymous true
    acl_file \(folder)/twind.acl
    persistence false
    max_packet_size 327680
    max_queued_messages 1000
    max_queued_bytes 16777216
    max_inflight_messages 32
    max_keepalive 900
    memory_limit 2147483648
    set_tcp_nodelay true

    listener \(settings.port)
    tls_version tlsv1.3
    require_certificate true
    use_identity_as_username true
    use_username_as_clientid true
    cafile \(folder)/ca.crt
    certfile \(folder)/broker.crt
    keyfile \(folder)/broker.key
    crlfile \(folder)/crl.pem

    # For gateways that have no certificate yet, or one that ends.
    listener \(settings.enrolmentPort)
    max_connections 64
    tls_version tlsv1.3
    certfile \(folder)/broker.crt
    keyfile \(folder)/broker.key

    """
  }

  var accessList: String {
    // Lines before the first user are for whoever has no name.
    var text = """
      # Made by twind-foundation init. What each line is for: edge-config/broker/twind.acl.
      topic write tw/1/enrol/+/csr
      topic read tw/1/enrol/+/cert

      pattern write tw/1/up/%u/#
      pattern read tw/1/dn/%u/#
      pattern read tw/1/all/#

      """
    for number in 1...settings.workers {
      text += """

        user \(FoundationFolder.worker(number, of: settings.name))
        topic read tw/1/up/#
        topic write tw/1/dn/#
        topic readwrite tw/1/all/#
        topic read tw/1/enrol/+/csr
        topic write tw/1/enrol/+/cert

        """
    }
    return text
  }
}
