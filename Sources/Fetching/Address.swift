/// The parts of a URL that fetching looks at.
struct Address: Sendable, Equatable {
  /// As it is handed to libcurl; apt's `file:/path` and `copy:/path` are brought to `file:///path`.
  let url: String
  /// In lower case.
  let scheme: String
  /// In lower case, without user and port.
  let host: String
  /// Scheme, host and port: what a limit of connections applies to.
  let site: String
  /// The URL for messages: without user, password and query, which may be secret.
  let shown: String

  init(_ text: String) {
    let scheme = text.prefix { $0 != ":" }.lowercased()
    var rest = text.dropFirst(scheme.count + 1)
    if scheme == "file" || scheme == "copy" {
      if rest.hasPrefix("///") { rest = rest.dropFirst(2) }
      url = "file://" + rest
      (self.scheme, host, site, shown) = ("file", "", "file", url)
      return
    }
    if rest.hasPrefix("//") { rest = rest.dropFirst(2) }
    let authority = rest.prefix { !"/?#".contains($0) }
    let place = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
    let path = rest.dropFirst(authority.count)
    let name = path.prefix { !"?#".contains($0) }
    url = text
    self.scheme = scheme
    if place.hasPrefix("["), let end = place.firstIndex(of: "]") {
      host = place[...end].lowercased()
    } else {
      host = place.prefix { $0 != ":" }.lowercased()
    }
    site = "\(scheme)://\(place.lowercased())"
    shown = "\(scheme)://\(place)\(name)" + (name.count < path.count ? "?…" : "")
  }
}
