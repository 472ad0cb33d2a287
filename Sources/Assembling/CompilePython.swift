/// A Python program that does what many runs of Debian's `py3compile` would have done.
///
/// It takes `py3compile`'s own code to choose the files of each call, without asking dpkg for the list
/// of a package that it can read itself; then one interpreter per call compiles them, with the same
/// command and the same input as `py3compile` gives it, several at a time. Where that code is not as
/// expected, `py3compile` itself runs for each call.
let compilePython = #"""
  import os, subprocess, sys

  program = '/usr/bin/py3compile'


  def noted(path):
      call = []
      with open(path, encoding='utf-8', errors='surrogateescape') as lines:
          for line in lines:
              if line == '.\n':
                  yield call
                  call = []
              else:
                  call.append(line[1:-1])


  calls = list(noted(sys.argv[1]))


  class Ended(Exception):
      pass


  def chosen():
      jobs = []
      own = {'__name__': 'py3compile', '__file__': program}
      with open(program, encoding='utf-8') as source:
          exec(compile(source.read(), program, 'exec'), own)

      def end(status=0):
          raise Ended(status)

      def py_compile(version, optimize, workers):
          if not isinstance(version, str):
              version = own['vrepr'](version)
          names = []
          options = ['-O'] if optimize else []
          jobs.append((['/usr/bin/python' + version] + options + ['-m', 'py_compile', '-'], names))
          while True:
              names.append((yield))

      files = own['dpf']
      ask = files.from_package

      def from_package(package, extensions=('.py',)):
          # As 'dpkg -L' does it, where no file is diverted.
          path = '/var/lib/dpkg/info/%s.list' % package
          if diverted or not os.path.exists(path):
              yield from ask(package, extensions)
              return
          with open(path, encoding='utf-8') as lines:
              for line in lines:
                  if line.rstrip('\n').endswith(tuple(extensions)):
                      yield line.rstrip('\n')

      diverted = False
      if os.path.exists('/var/lib/dpkg/diversions'):
          with open('/var/lib/dpkg/diversions', 'rb') as lines:
              diverted = b'.py' in lines.read()
      if 'py_compile' not in own:
          raise LookupError('py_compile')
      own['exit'], own['py_compile'] = end, py_compile
      files.from_package = from_package
      for call in calls:
          own['STDINS'].clear()
          sys.argv = [program] + call
          try:
              own['main']()
          except Ended as ended:
              if ended.args[0]:
                  raise
      return jobs


  def failures():
      try:
          jobs = chosen()
      except BaseException as error:
          print('compiling call by call, since py3compile is another one: %r' % error, flush=True)
          return sum(subprocess.call([program] + call) != 0 for call in calls)
      running, failed = [], 0
      # The largest first; what is compiled does not depend on the order.
      for command, names in sorted(jobs, key=lambda job: -len(job[1])):
          if not names:
              continue
          if len(running) >= len(os.sched_getaffinity(0)):
              failed += running.pop(0).wait() != 0
          process = subprocess.Popen(command, stdin=subprocess.PIPE)
          running.append(process)
          with process.stdin as names_in:
              names_in.write(''.join(name + '\n' for name in names).encode('utf-8'))
      return failed + sum(process.wait() != 0 for process in running)


  sys.exit(failures() != 0)
  """#
