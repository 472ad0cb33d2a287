internal import SystemPackage

/// The keys that may sign a source's Release files.
struct Keyring: Sendable, Equatable {
  /// Binary or armored (`.asc`) files.
  var files: [FilePath] = []
  /// Armored keys.
  var texts: [String] = []
  /// Not empty: only these keys count, by fingerprint of the key or of its primary key.
  var fingerprints: [String] = []
}

/// A text that bears good signatures.
struct SignedText: Sendable, Equatable {
  var text: String
  /// Fingerprints of the keys that signed, sorted.
  var signers: [String]
}

/// Checks a clear-signed file with gpgv and returns what was signed, and nothing else of it.
///
/// One good signature by a key of the keyring is enough, and a single bad one spoils the file;
/// signatures by unknown keys do not count.
///
/// - Parameter name: what messages call the file.
func verify(
  _ file: FilePath, named name: String, keyring: Keyring, scratch: FilePath
) async throws -> SignedText {
  let output = scratch.appending("verified")
  var arguments = ["--status-fd", "1", "--output", output.string]
  for key in try binaryKeys(of: keyring, scratch: scratch) {
    arguments += ["--keyring", key.string]
  }
  let result = try await run(
    "gpgv", arguments + [file.string],
    environment: .clean([
      "GNUPGHOME": scratch.string
    ]))
  let status = SignatureStatus(result.output, counting: keyring.fingerprints)
  if status.hasBad { throw ResolvingFailure.untrusted(file: name, .badSignature) }
  if status.signers.isEmpty {
    throw ResolvingFailure.untrusted(
      file: name, status.unknown.isEmpty ? .unsigned : .unknownSigner(status.unknown))
  }
  return SignedText(text: try text(of: output), signers: status.signers)
}

/// What gpgv reported. Source: GnuPG's doc/DETAILS, "Format of the --status-fd output".
private struct SignatureStatus {
  var signers: [String] = []
  var unknown: [String] = []
  var hasBad = false

  init(_ output: String, counting fingerprints: [String]) {
    var isGood = false
    for line in output.split(whereSeparator: \.isNewline) {
      let words = line.split(separator: " ").map(String.init)
      guard words.count >= 3, words[0] == "[GNUPG:]" else { continue }
      switch words[1] {
      // EXPSIG, EXPKEYSIG and REVKEYSIG take GOODSIG's place, and a VALIDSIG follows them as well.
      case "GOODSIG": isGood = true
      case "BADSIG": hasBad = true
      case "EXPSIG", "EXPKEYSIG", "REVKEYSIG":
        isGood = false
        unknown.append(words[2])
      case "NO_PUBKEY": unknown.append(words[2])
      case "VALIDSIG":
        defer { isGood = false }
        guard isGood else { continue }
        let isWanted =
          fingerprints.isEmpty
          || fingerprints.contains { $0 == words[2] || $0 == words.last }
        if isWanted { signers.append(words[2]) } else { unknown.append(words[2]) }
      default: break
      }
    }
    signers = Set(signers).sorted()
  }
}

/// The keyring as files that gpgv reads: armored ones are decoded into the scratch folder.
private func binaryKeys(
  of keyring: Keyring, scratch: FilePath
) throws(ResolvingFailure) -> [FilePath] {
  var files: [FilePath] = []
  var armored = keyring.texts
  for file in keyring.files {
    // A relative name would be looked up in GNUPGHOME.
    let content = try bytes(of: file)
    if content.first == UInt8(ascii: "-") {
      armored.append(String(decoding: content, as: UTF8.self))
    } else {
      let copy = scratch.appending("keyring-\(files.count).gpg")
      try write(content, to: copy)
      files.append(copy)
    }
  }
  for text in armored {
    let copy = scratch.appending("keyring-\(files.count).gpg")
    try write(dearmored(text), to: copy)
    files.append(copy)
  }
  return files
}

/// The bytes of every armored block of a text. Source: RFC 9580, section 6.
func dearmored(_ text: String) -> [UInt8] {
  var bytes: [UInt8] = []
  var isBlock = false
  var isBody = false
  var bits: UInt32 = 0
  var count = 0
  for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
    let line = line.trimmed
    if line.hasPrefix("-----") {
      isBlock = line.contains("BEGIN")
      isBody = false
      (bits, count) = (0, 0)
    } else if isBlock, line.isEmpty {
      isBody = true
    } else if isBlock, isBody, !line.hasPrefix("=") {
      for digit in line.utf8 {
        guard let value = sextet(digit) else { continue }
        bits = bits << 6 | UInt32(value)
        count += 6
        if count >= 8 {
          count -= 8
          bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
      }
    }
  }
  return bytes
}

private func sextet(_ digit: UInt8) -> UInt8? {
  switch digit {
  case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
  case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
  case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
  case UInt8(ascii: "+"): 62
  case UInt8(ascii: "/"): 63
  default: nil
  }
}
