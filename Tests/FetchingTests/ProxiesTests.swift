import Testing

@testable import Fetching

@Suite("Proxies and addresses")
struct ProxiesTests {
  @Test func aptsConfigurationIsRead() {
    let proxies = Proxies(
      aptConfiguration: """
        Acquire "";
        Acquire::http "";
        Acquire::http::Proxy "http://proxy.example:3142/";
        Acquire::http::Proxy::deb.example "DIRECT";
        Acquire::https::Proxy::Other.Example "http://second.example:1/";
        Acquire::http::Timeout "30";
        """)
    func choice(_ url: String) -> Proxies.Choice { proxies.choice(for: Address(url)) }
    #expect(choice("http://a.example/x") == .proxy("http://proxy.example:3142/"))
    #expect(choice("https://a.example/x") == .proxy("http://proxy.example:3142/"))
    #expect(choice("http://me:x@DEB.example:80/x") == .direct)
    #expect(choice("https://other.example/") == .proxy("http://second.example:1/"))
    #expect(Proxies().choice(for: Address("http://a.example/")) == .environment)
  }

  @Test(
    "what messages show has no secrets",
    arguments: [
      ("http://me:pass@a.example:80/p/q?token=1#x", "http://a.example:80/p/q?…"),
      ("https://a.example", "https://a.example"),
      ("HTTPS://[::1]:8/x", "https://[::1]:8/x"),
      ("file:/a/b", "file:///a/b"), ("copy:/a", "file:///a"), ("file:///a", "file:///a"),
      ("nonsense", "nonsense://"),
    ])
  func shown(url: String, expected: String) {
    #expect(Address(url).shown == expected)
  }

  @Test func theSiteIsSchemeHostAndPort() {
    #expect(Address("http://u@A.example:81/x").site == "http://a.example:81")
    #expect(Address("https://[::1]:8/x").host == "[::1]")
  }
}
