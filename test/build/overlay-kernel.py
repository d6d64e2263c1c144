#!/usr/bin/env python3
"""Runs sequences of operations on a real overlay mount. One JSON object a line in, one a line out.

In:  {"layers": [tree, ...] (base first), "ops": [[name, args...], ...], "looks": [n, ...], "mount": options, "upper": root}
     A tree is {name: node}; a node is {"t": "d"|"f"|"l"|"c"|"b"|"p"|"w", "mode", "uid", "gid", "mtime", "xattrs", "data",
     "target", "rdev": [major, minor], "opaque", "children", "link": path of an earlier node of the same layer}; a root is
     the node of a whole tree. Names and data are latin-1 text of their bytes.
     "looks": the merged tree is looked at when so many operations are done, 0 is before the first.
     {"at": directory, "lowers": count, "ops", "looks", "mount"} mounts what is there: layers `l0` (base) and on, `diff`, `work`,
     `merged`, and leaves it there.
Out: {"results": [result or {"errno": name}, ...], "trees": [root, ...], "upper": root, "remounted": root}
     "remounted" is left out unless "remount" is asked for. In an upper "overlay" tells what overlayfs notes in other xattrs
     than that of opaque directories; what a reader may leave out ("origin", "impure", "uuid") is left out.

Needs root, and a mount namespace of its own.
"""
import ctypes
import errno
import json
import os
import re
import shutil
import stat
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
FLAGS = {"noreplace": 1, "exchange": 2}
OPEN = {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR, "c": os.O_CREAT, "x": os.O_EXCL, "t": os.O_TRUNC,
        "a": os.O_APPEND, "d": os.O_DIRECTORY, "n": os.O_NOFOLLOW}


# What overlayfs notes of its own, by either kind of mount, but for what says nothing about the tree.
NOTE = re.compile(r"(trusted|user)\.overlay\.(?!(origin|impure|uuid)$)")
OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


def raw(text):
    return text.encode("latin-1")


def text(data):
    return data.decode("latin-1")


def make(tree, at, root=None):
    root = root or at
    for name, node in tree.items():
        path = at + b"/" + raw(name)
        kind = node["t"]
        if "link" in node:
            os.link(root + b"/" + raw(node["link"]), path, follow_symlinks=False)
            continue
        if kind == "d":
            os.mkdir(path)
            make(node.get("children", {}), path, root)
        elif kind == "f":
            with open(path, "wb") as file:
                file.write(raw(node.get("data", "")))
        elif kind == "l":
            os.symlink(raw(node["target"]), path)
        elif kind == "w":
            os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))
            continue
        else:
            types = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO, "s": stat.S_IFSOCK}
            os.mknod(path, types[kind], os.makedev(*node.get("rdev", [0, 0])))
        attributes(path, node)
    return at


def attributes(path, node):
    opaque = {"trusted.overlay.opaque": "y"} if node.get("opaque") else {}
    for name, value in {**node.get("xattrs", {}), **node.get("overlay", {}), **opaque}.items():
        os.setxattr(path, raw(name), raw(value), follow_symlinks=False)
    if "uid" in node:
        os.chown(path, node["uid"], node["gid"], follow_symlinks=False)
    if "mode" in node and node["t"] != "l":
        os.chmod(path, node["mode"])
    if "mtime" in node:
        os.utime(path, ns=(node["mtime"], node["mtime"]), follow_symlinks=False)


def dump(at, upper, groups):
    found = {}
    for name in sorted(os.listdir(at)):
        path = at + b"/" + name
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue  # a whiteout that the kernel lists (R-RD-3)
        found[text(name)] = describe(path, status, upper, groups)
    return found


def whole(at, upper=False):
    return describe(at, os.lstat(at), upper, {})


def describe(path, status, upper, groups):
    mode = status.st_mode
    kinds = {stat.S_IFDIR: "d", stat.S_IFREG: "f", stat.S_IFLNK: "l", stat.S_IFCHR: "c", stat.S_IFBLK: "b",
             stat.S_IFIFO: "p", stat.S_IFSOCK: "s"}
    kind = kinds[stat.S_IFMT(mode)]
    if upper and kind == "c" and status.st_rdev == 0:
        return {"t": "w"}
    node = {"t": kind, "mode": stat.S_IMODE(mode), "uid": status.st_uid, "gid": status.st_gid, "mtime": status.st_mtime_ns}
    names = os.listxattr(path, follow_symlinks=False)
    shown = {text(os.fsencode(n)): text(os.getxattr(path, n, follow_symlinks=False)) for n in names if ".overlay." not in n}
    if shown:
        node["xattrs"] = shown
    if upper:
        notes = {n: text(os.getxattr(path, n, follow_symlinks=False)) for n in names if NOTE.match(n)}
        opaque = [notes.pop(n) for n in OPAQUE if n in notes]
        if notes:
            node["overlay"] = notes
        if opaque:
            node["opaque"] = "y" in opaque
    if kind == "d":
        node["children"] = dump(path, upper, groups)
        return node
    node["nlink"] = status.st_nlink
    node["group"] = groups.setdefault((status.st_dev, status.st_ino), len(groups))
    if kind == "f":
        with open(path, "rb") as file:
            node["data"] = text(file.read())
    elif kind == "l":
        node["target"] = text(os.readlink(path))
    elif kind in "cb":
        node["rdev"] = [os.major(status.st_rdev), os.minor(status.st_rdev)]
    return node


def renameat2(old, new, flag):
    if libc.renameat2(AT_FDCWD, old, AT_FDCWD, new, FLAGS[flag]) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def run(name, args):
    path = raw(args[0])
    if name == "mkdir":
        os.mkdir(path, args[1])
    elif name == "rmdir":
        os.rmdir(path)
    elif name == "unlink":
        os.unlink(path)
    elif name == "rename":
        os.rename(path, raw(args[1])) if not args[2] else renameat2(path, raw(args[1]), args[2])
    elif name == "link":
        os.link(path, raw(args[1]), follow_symlinks=False)
    elif name == "symlink":
        os.symlink(path, raw(args[1]))
    elif name == "readlink":
        return text(os.readlink(path))
    elif name == "mknod":
        os.mknod(path, args[1], os.makedev(args[2], args[3]))
    elif name == "chmod":
        os.chmod(path, args[1])
    elif name == "chown":
        os.chown(path, args[1], args[2], follow_symlinks=args[3])
    elif name == "utimes":
        os.utime(path, ns=(args[1], args[1]), follow_symlinks=args[2])
    elif name == "truncate":
        os.truncate(path, args[1])
        # As node:fs does it: by a descriptor, which changes the times even where the size stays.
        file = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(file, args[1])
        finally:
            os.close(file)
    elif name == "setxattr":
        os.setxattr(path, raw(args[1]), raw(args[2]), follow_symlinks=False)
    elif name == "removexattr":
        os.removexattr(path, raw(args[1]), follow_symlinks=False)
    elif name == "readdir":
        return [n for n in sorted(map(text, os.listdir(path))) if os.path.lexists(path + b"/" + raw(n))]
    elif name == "stat":
        status = os.stat(path) if args[1] else os.lstat(path)
        return stat.S_IFMT(status.st_mode) >> 12
    elif name == "open":
        return run_open(path, args[1], args[2], raw(args[3]))
    else:
        raise ValueError(name)
    return None


def run_open(path, letters, mode, data):
    flags = os.O_NONBLOCK  # a fifo would wait
    for letter in letters.split("+"):
        flags |= OPEN[letter]
    fd = os.open(path, flags, mode)
    try:
        if data and flags & (os.O_WRONLY | os.O_RDWR):
            os.write(fd, data)
        return None
    finally:
        os.close(fd)


def outcome(op):
    try:
        return run(op[0], op[1:])
    except OSError as error:
        return {"errno": errno.errorcode[error.errno]}


def inside(merged, ops, looks):
    """In a child whose root is the mount: symlinks lead nowhere else."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.chroot(merged)
        os.chdir("/")
        os.umask(0o022)
        results, trees = [], [whole(b"/")] if 0 in looks else []
        for at, op in enumerate(ops):
            results.append(outcome(op))
            if at + 1 in looks:
                trees.append(whole(b"/"))
        with os.fdopen(write, "w") as out:
            json.dump({"results": results, "trees": trees}, out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as source:
        answer = json.load(source)
    os.waitpid(child, 0)
    return answer


def mount(lowers, work, options, names=("u", "w", "m")):
    upper, workdir, merged = (f"{work}/{name}" for name in names)
    lower = ":".join(reversed(lowers))
    given = f"lowerdir={lower},upperdir={upper},workdir={workdir}{options}"
    if libc.mount(b"overlay", merged.encode(), b"overlay", 0, given.encode()) != 0:
        raise OSError(ctypes.get_errno(), given)
    return merged


def unmount(merged):
    if libc.umount2(merged.encode(), 0) != 0:
        raise OSError(ctypes.get_errno(), merged)


def sequence(request, base):
    work = tempfile.mkdtemp(dir=base)
    try:
        for name in "uwm":
            os.mkdir(f"{work}/{name}")
        lowers = []
        for at, tree in enumerate(request["layers"]):
            lowers.append(f"{work}/l{at}")
            os.mkdir(lowers[-1], 0o755)
            make(tree, os.fsencode(lowers[-1]))
        upper = os.fsencode(f"{work}/u")
        if request.get("upper") is not None:
            make(request["upper"]["children"], upper)
            attributes(upper, request["upper"])
        options = request.get("mount", "")
        merged = mount(lowers, work, options)
        answer = inside(merged, request["ops"], request["looks"])
        unmount(merged)
        answer["upper"] = whole(upper, upper=True)
        if request.get("remount"):
            mount(lowers, work, options)
            answer["remounted"] = whole(os.fsencode(merged))
            unmount(merged)
        return answer
    finally:
        shutil.rmtree(work)


def there(request):
    at = request["at"]
    merged = mount([f"{at}/l{i}" for i in range(request["lowers"])], at, request.get("mount", ""), ("diff", "work", "merged"))
    try:
        answer = inside(merged, request["ops"], request["looks"])
    finally:
        unmount(merged)
    return {**answer, "upper": whole(os.fsencode(f"{at}/diff"), upper=True)}


def main():
    base = sys.argv[1]
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(there(request) if "at" in request else sequence(request, base)), flush=True)


main()
