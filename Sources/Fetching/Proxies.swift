/// Which proxy to use for an address: what was configured for its host, else for its scheme, else what
/// the environment says as curl reads it (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`).
public struct Proxies: Sendable, Equatable {
  /// `http` or `https` → a proxy's URL, or `DIRECT` for none.
  public var schemes: [String: String]
  /// A host in lower case → the same.
  public var hosts: [String: String]

  public init(schemes: [String: String] = [:], hosts: [String: String] = [:]) {
    self.schemes = schemes
    self.hosts = hosts
  }

  /// Reads `Acquire::http::Proxy`, `Acquire::https::Proxy` and those of single hosts from what
  /// `apt-config dump` prints; https without a proxy of its own takes that of http, as apt does.
  public init(aptConfiguration text: String) {
    self.init()
    for line in text.split(separator: "\n") {
      guard let space = line.firstIndex(of: " ") else { continue }
      let key = line[..<space].lowercased().split(separator: ":")
      let value = line[space...].filter { !"\"; ".contains($0) }
      guard key.count == 3 || key.count == 4, key[0] == "acquire", key[2] == "proxy",
        key[1] == "http" || key[1] == "https", !value.isEmpty
      else { continue }
      if key.count == 3 {
        schemes[String(key[1])] = value
      } else {
        hosts[String(key[3])] = value
      }
    }
    if let http = schemes["http"], schemes["https"] == nil { schemes["https"] = http }
  }

  enum Choice: Equatable {
    case environment
    case direct
    case proxy(String)
  }

  func choice(for address: Address) -> Choice {
    guard let value = hosts[address.host] ?? schemes[address.scheme] else { return .environment }
    return value == "DIRECT" || value == "false" ? .direct : .proxy(value)
  }
}
