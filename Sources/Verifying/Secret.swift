internal import Content
public import Model

/// A form of secret that shows in the content of files: how it begins, and what has to follow.
struct SecretForm: Sendable {
  var name: String
  /// What the scanner looks for.
  var prefix: String
  /// Whether what follows the prefix makes it a secret, not just a word of a program or a manual.
  var isSecret: @Sendable (_ rest: ArraySlice<UInt8>) -> Bool

  init(
    _ name: String, _ prefix: String, _ isSecret: @escaping @Sendable (ArraySlice<UInt8>) -> Bool
  ) {
    self.name = name
    self.prefix = prefix
    self.isSecret = isSecret
  }

  /// A token: the prefix, then at least so many letters and digits, not all alike.
  private static func token(
    _ name: String, _ prefix: String, _ length: ClosedRange<Int>, more: String = ""
  ) -> SecretForm {
    let extra = Array(more.utf8)
    return SecretForm(name, prefix) { rest in
      let body = rest.prefix { isLetterOrDigit($0) || extra.contains($0) }
      let isExample = String(decoding: body, as: UTF8.self).lowercased().contains("example")
      return length.contains(body.count) && Set(body).count >= min(10, length.lowerBound / 2)
        && !isExample && body.contains { (0x30...0x39).contains($0) }
    }
  }

  /// Few forms, each with a prefix that its issuer reserves: what has none cannot be told from hashes.
  static let all: [SecretForm] = [
    SecretForm("a private key", "-----BEGIN ", isPrivateKey),
    token("an Anthropic key", "sk-ant-", 40...200, more: "-_"),
    token("an OpenAI key", "sk-proj-", 40...240, more: "-_"),
    token("a GitHub token", "ghp_", 36...36), token("a GitHub token", "gho_", 36...36),
    token("a GitHub token", "ghu_", 36...36), token("a GitHub token", "ghs_", 36...36),
    token("a GitHub token", "github_pat_", 40...120, more: "_"),
    token("a GitLab token", "glpat-", 20...64, more: "-_"),
    token("an npm token", "npm_", 36...36),
    token("an AWS key id", "AKIA", 16...16), token("an AWS key id", "ASIA", 16...16),
    token("a Slack token", "xoxb-", 24...120, more: "-"),
    token("a Slack token", "xoxp-", 24...120, more: "-"),
  ]

  /// `-----BEGIN … PRIVATE KEY-----`, a line end, and at least 64 characters of it.
  private static let isPrivateKey: @Sendable (ArraySlice<UInt8>) -> Bool = { rest in
    let head = rest.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    guard String(decoding: head, as: UTF8.self).hasSuffix("PRIVATE KEY-----"), head.count < 48
    else { return false }
    let body = rest.dropFirst(head.count).drop { $0 == 10 || $0 == 13 }
    let text = body.prefix { isLetterOrDigit($0) || "+/=\r\n".utf8.contains($0) }
    return text.count >= 64 && Set(text).count >= 16
  }
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
  (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
}

/// What the survey of an image looks for: the forms of secrets, then the build machine's names.
func surveyPatterns(_ machine: BuildMachine) -> [[UInt8]] {
  SecretForm.all.map { Array($0.prefix.utf8) } + traces(of: machine).map { Array($0.utf8) }
}

/// Stands for what a survey looks for; what one found under another rule says nothing.
///
/// The folders of a build are not part of it: they bear new names each time, which nothing older than the
/// build can hold.
public func surveyRule(_ machine: BuildMachine) -> ContentHash {
  let patterns = surveyPatterns(BuildMachine(hostName: machine.hostName)).map { "\($0)" }
  return ContentHash(of: ([judgement] + patterns).joined(separator: "\n"))
}

/// Grows when what stands around a pattern is judged otherwise: then all is searched again.
private let judgement = "1"

/// Names of the build machine that are long enough to mean it and nothing else.
func traces(of machine: BuildMachine) -> [String] {
  let host = machine.hostName.map { [$0] } ?? []
  let common: Set<String> = ["localhost", "golden", "debian", "ubuntu", "host", "build", "runner"]
  return host.filter { $0.utf8.count >= 4 && !common.contains($0) }
    + machine.folders.filter { $0.utf8.count >= 6 }
}
