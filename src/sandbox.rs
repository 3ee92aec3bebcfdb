//! Rights that are given up once everything is open: what a sensor cannot do, nobody can make it do.
//!
//! The order is a contract: sockets and files are opened first, then [`enter`] is called, and only then threads are started, for what is
//! given up is given up by the thread that calls and by those that it starts.
//!
//! * The user, if another is asked for, and all capabilities but CAP_NET_RAW, without which an interface could not be opened again.
//! * The file system (Landlock), but for the folders of what is read and written again: editors and logrotate replace files.
//! * System calls (seccomp) that a sensor has no use for: to execute a program is one.
//! * That a program could ever have more rights than this one (`no_new_privs`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use caps::{CapSet, Capability, CapsHashSet};
use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus,
};
use nix::unistd::{User, setgroups, setresgid, setresuid};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// What is kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Kept {
    /// The user to become; nobody else without it.
    pub user: Option<String>,
    /// Files that are read again; their folders may be read, whoever replaces them.
    pub read: Vec<PathBuf>,
    /// Files that are written, put aside and begun again.
    pub written: Vec<PathBuf>,
    /// Sockets that are taken away at the end.
    pub removed: Vec<PathBuf>,
}

/// Gives up everything else. Says what was given up, and what this kernel has no means for.
///
/// # Errors
/// When a right that the kernel can take away could not be given up; the text says which, and what would be right.
pub fn enter(kept: &Kept) -> Result<String, String> {
    let mut done = Vec::new();
    if let Some(user) = &kept.user {
        become_user(user, &kept.written)?;
        done.push(format!("as user {user}"));
    }
    done.push(give_up_capabilities()?.to_owned());
    done.push(give_up_files(kept)?);
    done.push(give_up_calls()?.to_owned());
    Ok(done.join(", "))
}

fn become_user(name: &str, written: &[PathBuf]) -> Result<(), String> {
    let failed = |doing: &str, why: String| format!("--user {name}: {doing}: {why}");
    let user = User::from_name(name)
        .map_err(|error| failed("cannot be looked up", error.to_string()))?
        .ok_or_else(|| failed("cannot be looked up", "there is no such user".to_owned()))?;
    for path in written.iter().filter(|path| path.is_file()) {
        std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(
            |error| failed("its output cannot be given to it", format!("{}: {error}", path.display())),
        )?;
    }
    // Without this, all capabilities go with the user, also the one that is needed.
    caps::securebits::set_keepcaps(true).map_err(|error| failed("capabilities", error.to_string()))?;
    setgroups(&[])
        .and_then(|()| setresgid(user.gid, user.gid, user.gid))
        .and_then(|()| setresuid(user.uid, user.uid, user.uid))
        .map_err(|error| failed("cannot be become (it takes root)", error.to_string()))
}

fn give_up_capabilities() -> Result<&'static str, String> {
    let failed = |error: caps::errors::CapsError| format!("capabilities cannot be given up: {error}");
    let permitted = caps::read(None, CapSet::Permitted).map_err(failed)?;
    let needed = CapsHashSet::from([Capability::CAP_NET_RAW]);
    let kept: CapsHashSet = permitted.intersection(&needed).copied().collect();
    // What is bounded needs a right of its own, and matters only to programs that are executed, of which there are none.
    if permitted.contains(&Capability::CAP_SETPCAP) {
        // With the user went what is in effect, though not what may be.
        caps::set(None, CapSet::Effective, &permitted).map_err(failed)?;
        for capability in caps::all().difference(&needed) {
            // Some that this library knows the kernel may not know.
            if caps::has_cap(None, CapSet::Bounding, *capability).unwrap_or(false) {
                caps::drop(None, CapSet::Bounding, *capability).map_err(failed)?;
            }
        }
    }
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    caps::set(None, CapSet::Effective, &kept).map_err(failed)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(failed)?;
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new()).map_err(failed)?;
    Ok(if kept.is_empty() { "without capabilities" } else { "with CAP_NET_RAW alone" })
}

/// What a sensor reads of the system: counters of interfaces, and how many processors it may use.
const SYSTEM: [&str; 5] =
    ["/sys/class/net", "/sys/devices", "/sys/fs/cgroup", "/proc/self/cgroup", "/proc/self/mountinfo"];

fn give_up_files(kept: &Kept) -> Result<String, String> {
    let failed = |error: landlock::RulesetError| format!("Landlock: {error}");
    let abi = ABI::V5;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    let file = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let mut rules: BTreeSet<(PathBuf, u64)> = BTreeSet::new();
    let mut allow = |path: PathBuf, rights: BitFlags<AccessFs>| _ = rules.insert((path, rights.bits()));
    let mut folders = BTreeSet::new();
    for path in &kept.read {
        let folder = if path.is_dir() { path.clone() } else { folder_of(path) };
        folders.insert(folder.clone());
        allow(folder, read);
    }
    for path in &kept.written {
        // A device or a pipe is not put aside, and what lies beside it is nobody's business.
        if path.exists() && !path.is_file() {
            allow(path.clone(), file);
        } else {
            folders.insert(folder_of(path));
            allow(folder_of(path), write);
        }
    }
    for path in &kept.removed {
        allow(folder_of(path), AccessFs::RemoveFile.into());
    }
    for path in SYSTEM {
        allow(path.into(), if path.starts_with("/sys") { read } else { AccessFs::ReadFile.into() });
    }
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .map_err(failed)?
        .create()
        .map_err(failed)?;
    for (path, rights) in rules {
        // What is not there cannot be read or written later either.
        if let Ok(opened) = PathFd::new(&path) {
            let rights = BitFlags::from_bits_truncate(rights);
            ruleset = ruleset.add_rule(PathBeneath::new(opened, rights)).map_err(failed)?;
        }
    }
    let status = ruleset.restrict_self().map_err(failed)?;
    let folders = match folders.len() {
        0 => "no folder".to_owned(),
        1 => "1 folder".to_owned(),
        many => format!("{many} folders"),
    };
    Ok(match status.ruleset {
        RulesetStatus::NotEnforced => "without Landlock, which this kernel has not".to_owned(),
        _ => format!("Landlock on {folders}"),
    })
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn give_up_calls() -> Result<&'static str, String> {
    let failed = |error: seccompiler::Error| format!("seccomp: {error}");
    let backend = |error: seccompiler::BackendError| failed(error.into());
    let Ok(arch) = std::env::consts::ARCH.try_into() else {
        return Ok("without seccomp, which is not known for this processor");
    };
    let rules = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    // An error rather than an end: what is tried and fails is told by whoever tried.
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch).map_err(backend)?;
    let program: BpfProgram = filter.try_into().map_err(backend)?;
    seccompiler::apply_filter(&program).map_err(failed)?;
    Ok("seccomp, no new privileges")
}

/// The system calls of a sensor and of the C library beneath it, by what they are for. None executes, traces, mounts, or changes users.
const CALLS: &[libc::c_long] = &[
    // memory
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // threads, and their ends
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_membarrier,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_uname,
    // signals
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    // time and chance
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    // files, within what Landlock leaves
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat2,
    libc::SYS_statx,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
    // interfaces and sockets
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_ioctl,
    libc::SYS_listen,
    libc::SYS_ppoll,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socket,
    // libpcap makes one for each handle, also when an interface is opened again
    libc::SYS_eventfd2,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    // the same by their older names, which newer processors do not have
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];
