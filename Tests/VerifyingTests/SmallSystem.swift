import Foundation
import Model
import Support
import SystemPackage

@testable import Verifying

/// What boots in tests: this machine's systemd with what it is linked to, in an image of 128 MiB, and the
/// distribution's kernel for clouds, which apt fetches. Made once.
struct SmallSystem {
  /// Whether it can be made here.
  static let isPossible =
    ["apt-get", "dpkg-deb", "mke2fs", "gcc", "qemu-img", "qemu-system-x86_64", "ldd"]
    .allSatisfy(hasTool) && FileManager.default.fileExists(atPath: "/lib/systemd/systemd")

  static let shared = Result { try SmallSystem() }

  let folder: TemporaryFolder
  let media: BootMedia

  private init() throws {
    folder = try TemporaryFolder()
    try Self.shell(Self.fetch, in: folder.path)
    try Self.shell(Self.root, in: folder.path)
    for (name, text) in [("serve", Self.display), ("vectors", Self.vectors)] {
      let source = try folder.write("\(name).c", text)
      try Self.shell(
        "gcc -O1 -static \(name == "vectors" ? "-mavx2" : "") -o root/usr/bin/\(name) \(source)",
        in: folder.path)
    }
    var media = BootMedia(kernel: folder / "vmlinuz")
    media.busybox = Array(try Data(contentsOf: URL(fileURLWithPath: (folder / "busybox").string)))
    for name in BootMedia.moduleOrder {
      let file = (folder / "modules/\(name).ko").string
      // One that is missing is in the kernel.
      if let module = FileManager.default.contents(atPath: file) {
        media.modules[name] = Array(module)
      }
    }
    self.media = media
  }

  /// A machine whose image has a few files more, and what a verdict says of it.
  ///
  /// - Parameter files: texts by path; a first line `#!` makes a program of it.
  func check(
    _ files: [String: String] = [:], tests: [Recipe.Test] = [], timeout: Int = 120,
    _ change: (inout Recipe.Boot) -> Void = { _ in }
  ) throws -> Machine {
    let own = try TemporaryFolder()
    try Self.shell("cp -a \(folder / "root") root", in: own.path)
    for (path, text) in files.sorted(by: { $0.key < $1.key }) {
      // Not through a link of the root.
      try? FileManager.default.removeItem(atPath: (own / "root/\(path)").string)
      let file = try own.write("root/\(path)", text)
      if text.hasPrefix("#!") { try Self.shell("chmod 755 \(file)", in: own.path) }
    }
    try Self.shell(
      "mke2fs -q -t ext4 -m 0 -E root_owner=0:0,lazy_itable_init=0 -d root disk.ext4 128M",
      in: own.path)
    var recipe = sampleRecipe()
    recipe.tests = tests
    var boot = Recipe.Boot(
      memory: 256 << 20, clones: false, timeout: timeout, position: recipe.image.position)
    change(&boot)
    for name in ["evidence", "scratch"] {
      try FileManager.default.createDirectory(
        atPath: (own / name).string, withIntermediateDirectories: false)
    }
    return Machine(
      folder: own,
      check: BootCheck(
        disk: own / "disk.ext4", recipe: recipe, boot: boot, media: media, acceleration: .emulated,
        evidence: own / "evidence", scratch: own / "scratch"))
  }

  struct Machine {
    let folder: TemporaryFolder
    let check: BootCheck

    /// A line for each result: its name, and what it found.
    func verdict() async throws -> [String: [String]] {
      let before = try folder.contents("disk.ext4")
      let results = try await check.results()
      // The image is only read.
      guard try folder.contents("disk.ext4") == before else { return ["the image": ["changed"]] }
      return Dictionary(
        uniqueKeysWithValues: results.map { ($0.name, $0.findings.map { "\($0)" }) })
    }
  }

  private static func shell(_ script: String, in folder: FilePath) throws {
    let result = try runTool("sh", ["-euc", script], folder: folder.string)
    guard result.status == 0 else { throw Unmade(reason: result.errors) }
  }

  struct Unmade: Error { var reason: String }

  private static let fetch = """
    kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2 }')
    apt-get download -qq "$kernel" busybox-static 2>&1
    for deb in *.deb; do dpkg-deb -x "$deb" files; rm "$deb"; done
    mkdir modules; find files -name '*.ko' -exec mv {} modules \\;
    mv files/boot/vmlinuz-* vmlinuz
    mv "$(find files -path '*bin/busybox' -type f)" busybox
    rm -r files
    """

  private static let root = """
    mkdir -p root; cd root
    mkdir -p usr/bin usr/lib/systemd/system usr/lib64 usr/sbin etc/systemd/system
    mkdir -p proc sys dev run tmp root var/log var/tmp var/lib
    for name in bin lib lib64 sbin; do ln -s usr/$name $name; done
    programs='/lib/systemd/systemd /lib/systemd/systemd-shutdown /lib/systemd/systemd-journald
      /bin/systemctl /usr/bin/systemd-analyze /bin/sh /usr/bin/env /usr/bin/setpriv /usr/bin/sleep'
    for file in $programs $(for p in $programs; do ldd $p; done | grep -o '/[^ ]*' | sort -u); do
      cp -L --parents "$(realpath "$(dirname "$file")")/$(basename "$file")" .
    done
    for unit in basic multi-user sysinit sockets timers paths slices local-fs local-fs-pre shutdown \\
      umount final poweroff; do
      cp -L /lib/systemd/system/$unit.target usr/lib/systemd/system
    done
    cp -L /lib/systemd/system/systemd-poweroff.service /lib/systemd/system/systemd-journald*.s* \\
      usr/lib/systemd/system
    ln -s multi-user.target usr/lib/systemd/system/default.target
    ln -s ../lib/systemd/systemd usr/sbin/init
    echo root:x:0:0:root:/root:/bin/sh > etc/passwd
    echo root:x:0: > etc/group
    printf 'ID=test\\nIMAGE_ID=test\\nBUILD_ID=1\\n' > etc/os-release
    : > etc/machine-id
    : > etc/fstab
    """

  /// Answers HTTP on port 8080 with 'ok', and on port 5900 as a VNC server of 64 by 48 pixels, all of one
  /// colour unless it is told to draw.
  private static let display = """
    #include <arpa/inet.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <unistd.h>
    static void take(int to, int count) {
      char bytes[64];
      while (count > 0) { int got = read(to, bytes, count < 64 ? count : 64); if (got <= 0) _exit(0); count -= got; }
    }
    static void show(int to, int draws) {
      unsigned char start[24] = {0, 64, 0, 48, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0};
      unsigned char picture[16 + 64 * 48 * 4] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 64, 0, 48, 0, 0, 0, 0};
      for (int at = 0; draws && at < 64 * 48 * 4; at++) picture[16 + at] = at * at / 64;
      write(to, "RFB 003.008\\n", 12); take(to, 12);
      write(to, "\\1\\1", 2); take(to, 1);
      write(to, "\\0\\0\\0\\0", 4); take(to, 1);
      write(to, start, 24); take(to, 20 + 8 + 10);
      write(to, picture, sizeof picture);
      take(to, 1);
    }
    static int listening(int port) {
      struct sockaddr_in here = {AF_INET, htons(port)};
      int on = 1, number = socket(AF_INET, SOCK_STREAM, 0);
      setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      bind(number, (struct sockaddr *)&here, sizeof here);
      listen(number, 8);
      return number;
    }
    int main(int count, char **words) {
      int draws = count > 1 && !strcmp(words[1], "drawing");
      int isDisplay = fork() == 0, number = listening(isDisplay ? 5900 : 8080);
      for (;;) {
        int to = accept(number, 0, 0);
        if (fork()) { close(to); continue; }
        if (isDisplay) { show(to, draws); _exit(0); }
        char request[4096];
        read(to, request, sizeof request);
        write(to, "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok", 40);
        _exit(0);
      }
    }

    """

  /// Needs a processor of the level x86-64-v3.
  private static let vectors = """
    #include <immintrin.h>
    #include <stdio.h>
    int main(int count, char **words) {
      __m256i sum = _mm256_add_epi32(_mm256_set1_epi32(count), _mm256_set1_epi32(41));
      printf("it is %d\\n", _mm256_extract_epi32(sum, 0));
    }

    """
}

extension TemporaryFolder {
  func contents(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: (self / name).string), options: .alwaysMapped)
  }
}
