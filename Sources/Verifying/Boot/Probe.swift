internal import Foundation
internal import Model

/// What `verify` adds to a machine, in memory only: a unit that reports when the machine is ready and
/// runs the recipe's tests. It speaks on a virtio port, a line for each fact.
struct Probe: Sendable {
  var boot: Recipe.Boot
  var tests: [Recipe.Test]
  var users: [Recipe.User]
  /// How much longer than the recipe says things may take, without a processor of its own.
  var slowness: Int

  var files: [(String, String)] {
    [("golden-verify.service", unit), ("probe", script), ("page.html", Self.page)]
  }

  private var unit: String {
    """
    [Unit]
    Description=Reports to whoever verifies this image
    DefaultDependencies=no
    After=\(boot.ready)
    [Service]
    Type=simple
    ExecStart=/run/golden/busybox sh /run/golden/probe
    KillMode=process

    """
  }

  private static let page = """
    <!doctype html><title>golden</title><body style="margin:0;background:linear-gradient(90deg,#c33,#3c3,#33c)">
    <h1 style="font:64px sans-serif;color:#fff;padding:2em">golden image</h1>

    """

  /// The line that says that a test's terminal has had all of its output.
  static func mark(_ index: Int) -> String { "golden-end-\(index)." }

  private var script: String {
    var lines = [Self.prologue.replacing("@UNIT@", with: boot.ready)]
    if let display = boot.display {
      lines.append("$B nc -ll -p 15900 -e $B nc 127.0.0.1 \(display) &")
    }
    if !boot.show.isEmpty {
      let words = command(
        boot.show, user: boot.showUser,
        environment: ["DISPLAY": ":1", "XDG_RUNTIME_DIR": "/tmp"])
      lines.append("$B setsid \(words) < /dev/null > /run/golden/show.log 2>&1 &\nshow=$!")
    }
    for (index, test) in tests.enumerated() { lines.append(run(test, index)) }
    lines.append(Self.ownTests.replacing("@LIMIT@", with: "\(60 * slowness)"))
    lines.append(Self.epilogue.replacing("@LIMIT@", with: "\(600 * slowness)"))
    return lines.joined(separator: "\n")
  }

  private func run(_ test: Recipe.Test, _ index: Int) -> String {
    let limit = test.timeout * slowness
    let words =
      "$B timeout -s KILL \(limit) "
      + command(
        test.command, user: test.user,
        environment: test.hasTerminal
          ? ["TERM": "xterm-256color"].merging(test.environment) { $1 } : test.environment)
    if test.hasTerminal {
      return """
        $B chown \(quoted(test.user)) /dev/hvc0
        name=\(quoted(quotedJSON(test.name)))
        say GOLDEN-BEGIN \(index)
        begin=$(now)
        $B setsid -c $B sh -c '$0 stty sane rows 50 cols 200; exec "$@"' $B \(words) < /dev/hvc0 > /dev/hvc0 2>&1
        rc=$?
        printf '\\r\\n\(Self.mark(index))' > /dev/hvc0
        say "GOLDEN-CHECK {\\"n\\":\(index),\\"name\\":$name,\\"rc\\":$rc,\\"ms\\":$(($(now)-begin))}"
        """
    }
    return """
      name=\(quoted(quotedJSON(test.name)))
      begin=$(now)
      printf %s \(quoted(test.input)) | \(words) > /run/golden/out 2>&1
      rc=$?
      ms=$(($(now)-begin))
      say "GOLDEN-CHECK {\\"n\\":\(index),\\"name\\":$name,\\"rc\\":$rc,\\"ms\\":$ms,\\"out\\":\\"$(printed)\\"}"
      """
  }

  private func command(
    _ words: [String], user: String, environment: [String: String]
  ) -> String {
    let home = users.first { $0.name == user }?.home ?? (user == "root" ? "/root" : "/")
    let fixed = [
      "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home,
      "USER": user, "LC_ALL": "C.UTF-8",
    ].merging(environment) { $1 }
    let become =
      user == "root"
      ? [] : ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--init-groups", "--"]
    let all =
      become + ["/usr/bin/env", "-i"]
      + fixed.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      + words
    return all.map(quoted).joined(separator: " ")
  }

  private func quoted(_ word: String) -> String {
    "'" + word.replacing("'", with: "'\\''") + "'"
  }

  /// Reports as boot contract v1 says, and what only we ask for in words; all of it goes to a file of ours,
  /// so that nothing waits for a reader.
  private static let prologue = #"""
    B=/run/golden/busybox
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
    port=/dev/null
    for p in /sys/class/virtio-ports/*; do
      [ "$($B cat $p/name 2>/dev/null)" = golden.control ] && port=/dev/${p##*/}
    done
    exec 3> $port
    say() { echo "$*" >&3; }
    up() { read up rest < /proc/uptime; echo $up; }
    now() { read up rest < /proc/uptime; echo ${up%.*}${up#*.}0; }
    of_release() { $B sed -n "s/^$1=//p" /etc/os-release | $B tr -d '"\\'; }
    printed() { $B tail -c 60000 /run/golden/out | $B base64 -w 0; }
    while ! systemctl is-active --quiet @UNIT@; do $B usleep 200000; done
    ready=$(up)
    n=0
    while [ -n "$(systemctl list-jobs --no-legend 2>/dev/null | $B grep -v golden-verify)" ] && [ $n -lt 100 ]; do
      $B usleep 300000; n=$((n+1))
    done
    failed=$(systemctl list-units --state=failed --plain --no-legend --no-pager | $B awk '{printf "%s ", $1}')
    names=$(for unit in $failed; do echo "$unit"; done | $B sed 's/\\/\\\\/g; s/.*/"&"/' | $B tr '\n' ',')
    rw=false; echo x > /var/tmp/.golden-rw 2>/dev/null && rw=true; $B rm -f /var/tmp/.golden-rw
    line="GOLDEN-READY {\"v\":1,\"image_id\":\"$(of_release IMAGE_ID)\",\"build_id\":\"$(of_release BUILD_ID)\""
    line="$line,\"uptime\":$ready,\"state\":\"$(systemctl is-system-running)\",\"failed\":[${names%,}],\"root_rw\":$rw}"
    say "$line"
    echo "$line" > /dev/console
    for unit in $failed; do
      say "GOLDEN-FAILED $unit $(systemctl status --no-pager -l -n 10 $unit 2>&1 | $B tail -n 12 | $B base64 -w 0)"
    done
    say "GOLDEN-IDENTITY machine-id $($B cat /etc/machine-id)"
    say "GOLDEN-IDENTITY host-keys $($B cat /etc/ssh/ssh_host_*.pub 2>/dev/null | $B sha256sum)"
    [ -s /var/lib/systemd/random-seed ] && say "GOLDEN-IDENTITY random-seed $($B sha256sum < /var/lib/systemd/random-seed)"
    say "GOLDEN-BLAME $(systemd-analyze blame --no-pager 2>/dev/null | $B head -n 15 | $B base64 -w 0)"
    $B sync
    say GOLDEN-IDLE
    $B sleep 1
    """#

  /// The tests that an image brings along.
  private static let ownTests = #"""
    for file in /usr/lib/golden/verify.d/*; do
      [ -x "$file" ] || continue
      name=$(echo "${file##*/}" | $B tr -cd 'A-Za-z0-9._-')
      begin=$(now)
      $B timeout -s KILL @LIMIT@ "$file" < /dev/null > /run/golden/out 2>&1
      rc=$?
      ms=$(($(now)-begin))
      say "GOLDEN-CHECK {\"name\":\"$name\",\"rc\":$rc,\"ms\":$ms,\"out\":\"$(printed)\"}"
    done
    """#

  /// Waits until whoever looks from outside has seen enough and types a line.
  private static let epilogue = """
    say GOLDEN-DONE
    $B stty -F /dev/hvc0 sane -echo
    ( read -t @LIMIT@ line < /dev/hvc0 )
    [ -n "$show" ] && say "GOLDEN-SHOWN $($B tail -c 4000 /run/golden/show.log | $B base64 -w 0)"
    [ -n "$show" ] && kill -KILL -- -$show
    systemctl poweroff

    """
}

/// A text as JSON.
private func quotedJSON(_ text: String) -> String {
  // A text can always be written.
  (try? JSONEncoder().encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
}
