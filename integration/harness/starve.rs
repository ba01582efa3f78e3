//! A processor of which a process gets little: by a quota of its control group where one can be made, else by neighbours.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What keeps a process short. It has as much as before when this is dropped, or its end if that comes first.
pub enum Starved {
    /// A group of its own: the directory, and where its processes were before.
    Group { path: PathBuf, parent: PathBuf, process: u32 },
    /// Processes that do nothing as fast as they can.
    Neighbours(Vec<Child>),
}

impl Starved {
    /// Leaves a process about a tenth of one processor; nothing if that can't be had here.
    pub fn to_a_tenth(process: u32) -> Option<Self> {
        Self::by_group(process).or_else(|| Self::by_neighbours(process))
    }

    fn by_group(process: u32) -> Option<Self> {
        let (quota, root) =
            [("cpu.cfs_quota_us", "/sys/fs/cgroup/cpu"), ("cpu.max", "/sys/fs/cgroup")]
                .into_iter()
                .find(|(_, root)| Path::new(root).join("cgroup.procs").exists())?;
        let parent = PathBuf::from(root);
        let path = parent.join(format!("meridian-starved-{process}"));
        std::fs::create_dir(&path).ok()?;
        let group = Self::Group { path: path.clone(), parent, process };
        // 50 of 500 ms: longer pauses than with the usual 100, which would be over before anybody's patience is.
        let limits: &[(&str, &str)] = match quota {
            "cpu.max" => &[("cpu.max", "50000 500000")],
            _ => &[("cpu.cfs_period_us", "500000"), ("cpu.cfs_quota_us", "50000")],
        };
        // The files are not there in a group whose parent does not share processors out.
        let write = |name: &str, value: &str| {
            path.join(name).exists() && std::fs::write(path.join(name), value).is_ok()
        };
        let is_limited = limits.iter().all(|(name, value)| write(name, value));
        (is_limited && write("cgroup.procs", &process.to_string())).then_some(group)
    }

    /// Beside processes of ten times its weight, one on every processor.
    fn by_neighbours(process: u32) -> Option<Self> {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
        let tasks = tasks.flatten().filter_map(|task| task.file_name().into_string().ok());
        let renice = Command::new("renice").args(["-n", "10", "-p"]).args(tasks).output().ok()?;
        if !renice.status.success() {
            return None;
        }
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let spin = || {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().ok()
        };
        Some(Self::Neighbours((0..count).filter_map(|_| spin()).collect()))
    }

    /// By what, and how often it had to wait if that is counted.
    pub fn describe(&self) -> String {
        match self {
            Self::Group { path, .. } => {
                let stat = std::fs::read_to_string(path.join("cpu.stat")).unwrap_or_default();
                format!(
                    "a quota of 10 %: {}",
                    stat.split_whitespace().collect::<Vec<_>>().join(" ")
                )
            }
            Self::Neighbours(all) => format!("{} neighbours", all.len()),
        }
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        match self {
            Self::Group { path, parent, process } => {
                // Gone already, if the process ended first.
                let _ = std::fs::write(parent.join("cgroup.procs"), process.to_string());
                let _ = std::fs::remove_dir(path);
            }
            Self::Neighbours(all) => {
                for one in all {
                    let _ = one.kill();
                    let _ = one.wait();
                }
            }
        }
    }
}
