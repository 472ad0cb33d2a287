extension Recipe {
  /// `[chromium]`: a browser at `/usr/bin/chromium`, with its own sandbox, that Puppeteer finds.
  public struct Chromium: Sendable, Equatable {
    public enum Source: String, Sendable, CaseIterable {
      /// The distribution's package.
      case apt
      /// Google's zip file for automation, whose version Puppeteer names.
      case forTesting = "chrome-for-testing"
      /// Any other archive.
      case archive
    }

    public var source: Source
    /// What the browser says of itself; nil takes it from the package or the archive's address.
    public var version: Located<String>?
    /// The absolute folder of an archive in the image.
    public var into: String
    /// The program's path in that folder.
    public var program: String
    public var position: SourcePosition

    /// Where programs look for the browser, whatever its source.
    public static let path = "/usr/bin/chromium"
    /// The archive's name in the lock.
    public static let archive = "chromium"
    /// The packages of the source `apt`.
    public static let packages = ["chromium", "chromium-sandbox"]

    /// The helper with the set-user-id bit, beside the program: the name it must bear, and the one that
    /// archives have it under.
    public static let helpers = (needed: "chrome-sandbox", packed: "chrome_sandbox")
    /// Where the helper of an archive may lie, under both names.
    public var helperPaths: [String] {
      let folder = (into + "/" + program).split(separator: "/").dropLast()
      return [Self.helpers.needed, Self.helpers.packed].map {
        "/" + (folder + [Substring($0)]).joined(separator: "/")
      }
    }

    public init(
      source: Source, version: Located<String>? = nil, into: String = "/opt/chromium",
      program: String = "chrome", position: SourcePosition
    ) {
      self.source = source
      self.version = version
      self.into = into
      self.program = program
      self.position = position
    }
  }

  /// The variables for all that runs in the image: those of `[npm]`, and where the browser is.
  public var environmentOfTools: [String: String] {
    let browser = chromium == nil ? [:] : ["PUPPETEER_EXECUTABLE_PATH": Chromium.path]
    return browser.merging(npm?.environment ?? [:]) { $1 }
  }

  /// The browser's version, as the recipe and the lock tell it; nil when neither does.
  public func chromiumVersion(_ lock: Lock) -> String? {
    guard let chromium else { return nil }
    if let version = chromium.version { return version.value }
    switch chromium.source {
    case .apt:
      let package = lock.packages.first { $0.name == Chromium.packages[0] }
      return package.map {
        String(($0.version.split(separator: ":").last ?? "").prefix { $0.isNumber || $0 == "." })
      }
    case .forTesting, .archive:
      let urls = archives.first { $0.name == Chromium.archive }?.urls ?? []
      return urls.lazy.compactMap(browserVersion).first
    }
  }
}

/// The part of an address that is a version of Chromium: four numbers.
private func browserVersion(in url: String) -> String? {
  url.split(separator: "/").lazy.map(String.init).first { part in
    let numbers = part.split(separator: ".", omittingEmptySubsequences: false)
    return numbers.count == 4 && numbers.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isNumber) }
  }
}
