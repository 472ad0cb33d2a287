import Foundation
import Support
import SystemPackage
import Testing

/// Expects two images of the same bytes; else names the paths and fields that differ.
func expectSame(
  _ first: FilePath, _ second: FilePath, _ story: String = "",
  at place: SourceLocation = #_sourceLocation
) throws {
  guard try sha256(first) != sha256(second) else { return }
  let scratch = try TemporaryFolder()
  let difference = try runTool(
    "python3", ["-c", comparison, first.string, second.string], folder: scratch.path.string)
  Issue.record(
    "the images differ: \(story)\n\((difference.output + difference.errors).prefix(4000))",
    sourceLocation: place)
}

/// Takes both images apart with debugfs, as plain users can, and compares all that comes out.
private let comparison = """
  import hashlib, os, stat, subprocess, sys
  def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
  def fields(path):
    status = os.lstat(path)
    found = {'mode': oct(status.st_mode), 'owner': (status.st_uid, status.st_gid), 'time': status.st_mtime}
    if stat.S_ISREG(status.st_mode):
      found['content'] = hashlib.sha256(open(path, 'rb').read()).hexdigest()
    elif stat.S_ISLNK(status.st_mode): found = {'target': os.readlink(path)}
    return found
  def tree(image, name):
    os.mkdir(name)
    run('debugfs', '-R', f'rdump / {name}', image)
    found = {'superblock': dict(enumerate(run('dumpe2fs', '-h', image).decode().splitlines()))}
    for parent, folders, files in os.walk(name):
      for path in [os.path.join(parent, child) for child in folders + files]:
        found['/' + os.path.relpath(path, name)] = fields(path)
    return found
  left, right = tree(sys.argv[1], 'left'), tree(sys.argv[2], 'right')
  for path in sorted(left.keys() | right.keys()):
    if path not in left or path not in right:
      print(f"{path}: only in the {'first' if path in left else 'second'}")
      continue
    for field in left[path].keys() | right[path].keys():
      if left[path].get(field) != right[path].get(field):
        print(f'{path}: {field}: {left[path].get(field)}, {right[path].get(field)}')
  print(run('cmp', sys.argv[1], sys.argv[2]).decode())
  """
