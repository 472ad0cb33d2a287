internal import AgentHTTP
internal import Glibc
internal import Model
internal import SystemPackage

/// What the controller is told by its configuration, a JSON file. Format: `docs/controller.md`.
struct Configuration: Sendable {
  /// A kind of machine: which image, which driver, how many stand ready.
  struct Role: Sendable {
    var name: String
    var image: String
    var driver: String
    /// Machines that are booted before anybody asks.
    var ready: Int
    /// Values of the driver's words, such as `memory`.
    var values: [String: String]
    /// Files that its machines get besides those of the driver.
    var inject: [FileTemplate]
  }

  var store: FilePath
  var state: FilePath
  var keys: [String]
  /// The secret key that lets a rollback move a signed pointer; nil: the controller goes back alone.
  var secret: String?
  var host = "127.0.0.1"
  var port = 8090
  var tokenFile: String
  var roles: [Role]
  var drivers: [String: Driver]
  var firstPort = 20_000
  /// Seconds in which a machine must answer.
  var readyTime = 60
  var badBoots = 2
  var boots = 4
  /// How many days a session stays that began, with its machine if it still has one.
  var sessionDays = 30

  /// - Throws: `FaultyOptions` that names the member at fault.
  init(json bytes: [UInt8]) throws(FaultyOptions) {
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch {
      throw FaultyOptions("the configuration is no JSON: \(error)")
    }
    try json.expectMembers(
      [
        "store", "state", "listen", "token_file", "keys", "secret_key", "ready_seconds",
        "bad_boots", "boots", "session_days", "first_port", "roles", "drivers",
      ], of: "the configuration")
    func text(_ key: String) throws(FaultyOptions) -> String {
      guard let text = json[key]?.string, !text.isEmpty else {
        throw FaultyOptions("the configuration needs '\(key)', a text")
      }
      return text
    }
    func number(_ key: String, _ standard: Int) throws(FaultyOptions) -> Int {
      guard let value = json[key] else { return standard }
      guard let number = value.integer, number > 0 else {
        throw FaultyOptions("'\(key)' must be a whole number above zero")
      }
      return number
    }
    store = FilePath(try text("store"))
    state = FilePath(try text("state"))
    tokenFile = try text("token_file")
    keys = json["keys"]?.array?.compactMap(\.string) ?? []
    secret = json["secret_key"]?.string
    if let listen = json["listen"]?.string { (host, port) = try Options.address(listen) }
    firstPort = try number("first_port", firstPort)
    readyTime = try number("ready_seconds", readyTime)
    badBoots = try number("bad_boots", badBoots)
    boots = try number("boots", boots)
    sessionDays = try number("session_days", sessionDays)
    guard sessionDays <= 10_000 else { throw FaultyOptions("'session_days' is at most 10000") }
    drivers = Driver.builtIn
    for (name, value) in json["drivers"]?.object ?? [:] {
      drivers[name] = try Driver(value, named: name)
    }
    roles = []
    for (name, value) in (json["roles"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      try value.expectMembers(
        ["image", "driver", "ready", "values", "inject"], of: "role '\(name)'")
      guard let image = value["image"]?.string else {
        throw FaultyOptions("role '\(name)' needs 'image', the name of an image")
      }
      let driver = value["driver"]?.string ?? "qemu"
      guard drivers[driver] != nil else {
        throw FaultyOptions("role '\(name)' names an unknown driver '\(driver)'")
      }
      roles.append(
        Role(
          name: name, image: image, driver: driver, ready: value["ready"]?.integer ?? 0,
          values: words(value["values"]),
          inject: try FileTemplate.all(value["inject"], of: "role '\(name)'")))
    }
    guard !roles.isEmpty else { throw FaultyOptions("the configuration needs 'roles'") }
  }

  /// What a role's driver needs of this host: programs and files without which no machine could start.
  ///
  /// A monitor that ends because its kernel is missing must not look like an image that does not boot.
  func missing() -> [String] {
    roles.flatMap { role -> [String] in
      guard let driver = drivers[role.driver] else { return [] }
      let values = driver.values.merging(role.values) { $1 }
      var missing: [String] = []
      let program = filled(driver.command[0], values)
      if !isProgram(program) {
        missing.append(
          "role '\(role.name)': driver '\(role.driver)' needs the program '\(program)', which this"
            + " host does not have")
      }
      for word in driver.needs {
        guard let file = values[word] else {
          missing.append("role '\(role.name)': driver '\(role.driver)' needs '\(word)' in 'values'")
          continue
        }
        if access(file, R_OK) != 0 {
          missing.append(
            "role '\(role.name)': '\(word)' is '\(file)', which cannot be read:"
              + " \(String(cString: strerror(errno)))")
        }
      }
      return missing
    }
  }

  func role(_ name: String) -> Role? { roles.first { $0.name == name } }
}

extension JSON {
  /// - Throws: `FaultyOptions` that names a member which nobody reads.
  func expectMembers(_ known: [String], of place: String) throws(FaultyOptions) {
    for name in (object ?? [:]).keys.sorted() where !known.contains(name) {
      let hint = suggestion(for: name, among: known).map { "; \($0)" } ?? ""
      throw FaultyOptions("\(place) has an unknown member '\(name)'\(hint)")
    }
  }
}

/// Whether a program can be started by its name or path.
private func isProgram(_ name: String) -> Bool {
  if name.contains("/") { return access(name, X_OK) == 0 }
  let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
  return path.split(separator: ":").contains { access("\($0)/\(name)", X_OK) == 0 }
}

/// The members of an object that are texts or numbers, as texts.
func words(_ json: JSON?) -> [String: String] {
  (json?.object ?? [:]).compactMapValues { value in
    value.string ?? value.integer.map(String.init)
  }
}

/// Puts values in the place of `${name}`; values may hold words themselves. Unknown words go.
func filled(_ text: String, _ values: [String: String]) -> String {
  var text = text
  // Three rounds: a command line that names a version that names nothing more.
  for _ in 0..<3 {
    for (name, value) in values where text.contains("${\(name)}") {
      text = text.replacing("${\(name)}", with: value)
    }
  }
  while let start = text.firstRange(of: "${"),
    let end = text[start.lowerBound...].firstIndex(of: "}")
  {
    text.removeSubrange(start.lowerBound...end)
  }
  return text
}
