/// What an image shall hold, as its author wrote it: merged, expanded and checked.
///
/// Every path in it is absolute or counts from the working folder: relative paths of the text have
/// been joined with the folder of the file in which they stand.
public struct Recipe: Sendable, Equatable {
  /// The recipe's file as the user named it.
  public var file: String
  /// SHA-256 of the merged and expanded content; comments, order of tables and layout do not count.
  public var digest: ContentHash
  /// The environment variables that the recipe reads, with their values.
  public var environment: [String: String]
  public var image: Image
  public var base: Base
  public var packages: Packages
  public var archives: [Archive]
  public var wheels: [Wheel]
  public var npm: NPM?
  public var chromium: Chromium?
  public var files: [File]
  public var users: [User]
  public var units: [Unit]
  public var agents: [Agent]
  public var runs: [Run]
  public var budget: Budget?
  public var tests: [Test]
  /// Nil: the image is not booted before it is published.
  public var boot: Boot?
  public var allowances: [Allowance]
  public var publish: Publish

  public init(
    file: String, digest: ContentHash, environment: [String: String] = [:], image: Image,
    base: Base, packages: Packages, archives: [Archive] = [], wheels: [Wheel] = [],
    npm: NPM? = nil, chromium: Chromium? = nil, files: [File] = [], users: [User] = [],
    units: [Unit] = [],
    agents: [Agent] = [],
    runs: [Run] = [], budget: Budget? = nil, tests: [Test] = [], boot: Boot? = nil,
    allowances: [Allowance] = [], publish: Publish = Publish()
  ) {
    self.file = file
    self.digest = digest
    self.environment = environment
    self.image = image
    self.base = base
    self.packages = packages
    self.archives = archives
    self.wheels = wheels
    self.npm = npm
    self.chromium = chromium
    self.files = files
    self.users = users
    self.units = units
    self.agents = agents
    self.runs = runs
    self.budget = budget
    self.tests = tests
    self.boot = boot
    self.allowances = allowances
    self.publish = publish
  }
}

extension Recipe {
  /// `[image]`: the file system to make.
  public struct Image: Sendable, Equatable {
    /// The catalog's name: `[a-z0-9][a-z0-9._-]*`, at most 64 characters.
    public var name: String
    /// Virtual size in bytes, a multiple of 4096.
    public var size: Int
    /// Volume label, at most 16 bytes; empty for none.
    public var label: String
    public var hostname: String
    /// A name of the time zone database, such as `Europe/Berlin`.
    public var timezone: String
    public var locale: String
    public var position: SourcePosition

    public init(
      name: String, size: Int = 8 << 30, label: String = "", hostname: String = "golden",
      timezone: String = "UTC", locale: String = "C.UTF-8", position: SourcePosition
    ) {
      self.name = name
      self.size = size
      self.label = label
      self.hostname = hostname
      self.timezone = timezone
      self.locale = locale
      self.position = position
    }
  }

  /// `[base]`: the distribution and where its packages come from.
  public struct Base: Sendable, Equatable {
    public enum Distribution: String, Sendable, Codable { case debian, ubuntu }
    public enum Mirror: Sendable, Equatable {
      /// The host's own apt sources, keys and proxies.
      case host
      /// The base URLs of equal mirrors, tried in this order.
      case addresses([String])
    }
    public var distribution: Distribution
    public var suite: String
    /// Pockets beside the suite itself: `updates` stands for `<suite>-updates`.
    public var pockets: [String]
    public var components: [String]
    /// dpkg's name: `amd64`, `arm64`.
    public var architecture: String
    public var mirror: Mirror
    /// Where the pocket `security` lives when it has a mirror of its own, as Debian's has.
    public var securityMirror: [String]
    /// The file of keys that may sign Release files; nil takes the distribution's from the host.
    public var keyring: String?
    /// `YYYYMMDDTHHMMSSZ`: the distribution's snapshot service, as it was then.
    public var snapshot: String?
    public var position: SourcePosition

    public init(
      distribution: Distribution, suite: String, pockets: [String] = [],
      components: [String] = ["main"], architecture: String = "amd64", mirror: Mirror = .host,
      securityMirror: [String] = [], keyring: String? = nil, snapshot: String? = nil,
      position: SourcePosition
    ) {
      self.distribution = distribution
      self.suite = suite
      self.pockets = pockets
      self.components = components
      self.architecture = architecture
      self.mirror = mirror
      self.securityMirror = securityMirror
      self.keyring = keyring
      self.snapshot = snapshot
      self.position = position
    }
  }

  /// `[packages]`: what apt shall install; recommended packages are never added by themselves.
  public struct Packages: Sendable, Equatable {
    /// Package names, also `name=version`.
    public var install: [Located<String>]
    /// Never installed, not even as a dependency.
    public var exclude: [Located<String>]

    public init(install: [Located<String>] = [], exclude: [Located<String>] = []) {
      self.install = install
      self.exclude = exclude
    }
  }

  /// `[[archive]]`: a tar or zip file from a URL or a local path, pinned by its hash.
  public struct Archive: Sendable, Equatable {
    /// What names it in the lock and on the command line; by default the last part of `url`.
    public var name: String
    /// Equal addresses, tried in order: `http`, `https` or `file`.
    public var urls: [String]
    /// Nil: taken from the lock, which learns it when the archive is first fetched.
    public var sha256: ContentHash?
    /// Leading parts of each entry's path to drop.
    public var strip: Int
    /// The absolute folder in the image that receives the entries.
    public var into: String
    /// Shell patterns on stripped paths, `**` over folders; empty takes everything.
    public var include: [String]
    public var exclude: [String]
    public var position: SourcePosition

    public init(
      name: String, urls: [String], sha256: ContentHash?, strip: Int = 0, into: String,
      include: [String] = [], exclude: [String] = [], position: SourcePosition
    ) {
      self.name = name
      self.urls = urls
      self.sha256 = sha256
      self.strip = strip
      self.into = into
      self.include = include
      self.exclude = exclude
      self.position = position
    }
  }

  /// `[[wheel]]`: files out of a Python wheel, which many vendors use to ship native programs.
  public struct Wheel: Sendable, Equatable {
    /// A requirement with one exact version: `name==1.2.3`.
    public var package: String
    /// Path or folder (with a trailing `/`) in the wheel → absolute path in the image.
    public var files: [String: String]
    /// Links to add, absolute path of the link → its target.
    public var links: [String: String]
    public var position: SourcePosition

    public init(
      package: String, files: [String: String], links: [String: String] = [:],
      position: SourcePosition
    ) {
      self.package = package
      self.files = files
      self.links = links
      self.position = position
    }
  }

  /// `[[file]]`: one file, folder or link.
  public struct File: Sendable, Equatable {
    public enum Content: Sendable, Equatable {
      case text(String)
      /// A file or folder of the host.
      case source(String)
      case link(target: String)
      case folder
    }
    /// Absolute, in the image.
    public var path: String
    public var content: Content
    /// Permission bits; nil: 0644 for text, 0755 for folders, the source's for sources.
    public var mode: UInt16?
    /// `user` or `user:group`, names or numbers, resolved inside the image.
    public var owner: String
    public var position: SourcePosition

    public init(
      path: String, content: Content, mode: UInt16? = nil, owner: String = "root:root",
      position: SourcePosition
    ) {
      self.path = path
      self.content = content
      self.mode = mode
      self.owner = owner
      self.position = position
    }
  }

  /// `[[user]]`: an account with a locked password; there is no way to give it one.
  public struct User: Sendable, Equatable {
    public var name: String
    public var uid: Int
    /// Of the group that bears the user's name.
    public var gid: Int
    /// Supplementary groups; each must exist once the packages are configured.
    public var groups: [String]
    public var shell: String
    public var home: String
    public var comment: String
    public var position: SourcePosition

    public init(
      name: String, uid: Int, gid: Int, groups: [String] = [], shell: String = "/bin/bash",
      home: String, comment: String = "", position: SourcePosition
    ) {
      self.name = name
      self.uid = uid
      self.gid = gid
      self.groups = groups
      self.shell = shell
      self.home = home
      self.comment = comment
      self.position = position
    }
  }

  /// `[[unit]]`: a systemd unit: installed from a source, enabled or masked.
  public struct Unit: Sendable, Equatable {
    public enum State: Sendable, Equatable { case enabled, disabled, masked, asPreset }
    /// With its suffix, such as `vnc.service`; shell patterns only where `state` is `.masked`.
    public var name: String
    /// A unit file on the host; nil for units that packages bring.
    public var source: String?
    public var text: String?
    public var state: State
    public var position: SourcePosition

    public init(
      name: String, source: String? = nil, text: String? = nil, state: State,
      position: SourcePosition
    ) {
      self.name = name
      self.source = source
      self.text = text
      self.state = state
      self.position = position
    }
  }

  /// `[[agent]]`: a program of the fleet's own, injected last.
  public struct Agent: Sendable, Equatable {
    /// Where the program comes from.
    public enum Source: Sendable, Equatable {
      /// A file or folder on the host.
      case path(String)
      /// An executable product of a SwiftPM package on the host, compiled for the image.
      case product(String, package: String)
    }
    public var name: String
    public var source: Source
    /// The absolute folder in the image (the file itself when `source` is one file and this ends
    /// without `/`).
    public var into: String
    /// A unit file on the host.
    public var unit: String?
    public var isEnabled: Bool
    public var owner: String
    public var position: SourcePosition

    public init(
      name: String, source: Source, into: String, unit: String? = nil, isEnabled: Bool = true,
      owner: String = "root:root", position: SourcePosition
    ) {
      self.name = name
      self.source = source
      self.into = into
      self.unit = unit
      self.isEnabled = isEnabled
      self.owner = owner
      self.position = position
    }
  }

  /// `[[run]]`: a command in the root, after users, files and archives and before agents.
  public struct Run: Sendable, Equatable {
    public var name: String
    /// Program and arguments; no shell in between.
    public var command: [String]
    public var environment: [String: String]
    /// A user of the image.
    public var user: String
    public var directory: String
    /// True gives the host's network; false a loopback interface that is down.
    public var hasNetwork: Bool
    public var position: SourcePosition

    public init(
      name: String, command: [String], environment: [String: String] = [:],
      user: String = "root", directory: String = "/", hasNetwork: Bool = false,
      position: SourcePosition
    ) {
      self.name = name
      self.command = command
      self.environment = environment
      self.user = user
      self.directory = directory
      self.hasNetwork = hasNetwork
      self.position = position
    }
  }
}
