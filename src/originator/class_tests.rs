//! Programs in their places and out of them, their parents and command lines, and what is made of each.

use std::sync::Arc;

use super::*;

fn process(path: &str, line: &str, parent: &str) -> Process {
    let text = |text: &str| (!text.is_empty()).then(|| Arc::<str>::from(text));
    let parent = text(parent).map(|path| Arc::new(Process { executable: Some(path), ..Process::default() }));
    Process { executable: text(path), command_line: text(line), parent, ..Process::default() }
}

fn shown(process: &Process) -> String {
    let originator = Originator::of_process(process, Programs::builtin());
    let tags: Vec<_> = originator.tags.iter().map(|tag| tag.as_str()).collect();
    assert!(originator.tags.is_empty() || !originator.evidence.is_empty(), "tags rest on evidence");
    format!("{} {}", originator.class.as_str(), tags.join(" ")).trim_end().to_owned()
}

#[track_caller]
fn check(path: &str, expected: &str) {
    assert_eq!(shown(&process(path, "", "")), expected, "{path}");
}

#[track_caller]
fn check_line(path: &str, line: &str, parent: &str, expected: &str) {
    assert_eq!(shown(&process(path, line, parent)), expected, "{path} {line}");
}

#[test]
fn a_browser_is_one_in_its_own_place() {
    for path in [
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
        r"C:\Users\u\AppData\Local\Google\Chrome\Application\chrome.exe",
        r"\Device\HarddiskVolume3\Program Files\Mozilla Firefox\firefox.exe",
        "/usr/lib/firefox-esr/firefox-esr",
        "/opt/google/chrome/chrome",
        "/snap/firefox/4090/usr/lib/firefox/firefox",
        "/Applications/Google Chrome.app/Contents/Frameworks/x/Helpers/Google Chrome Helper.app/Contents/MacOS/Google Chrome Helper",
        "/System/Volumes/Preboot/Cryptexes/OS/System/Library/Frameworks/WebKit.framework/com.apple.WebKit.Networking",
        "chrome.exe",
    ] {
        check(path, "browser");
    }
    for (path, expected) in [
        (r"C:\Users\u\AppData\Local\Temp\chrome.exe", "unknown masquerade unusual-path"),
        (r"C:\ProgramData\chrome.exe", "unknown masquerade unusual-path"),
        (r"C:\Users\u\chrome.exe", "unknown masquerade"),
        (r"C:\Windows\System32\chrome.exe", "unknown masquerade"),
        (r"C:\Users\u\evil-chrome.exe", "unknown masquerade"),
        (
            r"C:\Program Files\Google\Chrome\..\..\..\Users\Public\chrome.exe",
            "unknown masquerade unusual-path",
        ),
        ("/tmp/firefox", "unknown masquerade unusual-path"),
        ("/home/u/.cache/chrome", "unknown masquerade unusual-path"),
        ("/Users/Shared/Safari", "unknown masquerade unusual-path"),
    ] {
        check(path, expected);
    }
    let said = Originator::of_process(
        &process(r"C:\Users\u\AppData\Local\Temp\chrome.exe", "", ""),
        Programs::builtin(),
    );
    assert!(
        said.evidence
            .contains(&r"chrome outside its own place: C:\Users\u\AppData\Local\Temp\chrome.exe".to_owned()),
        "{said:?}"
    );
}

#[test]
fn programs_of_every_class() {
    for (path, expected) in [
        (r"C:\Users\u\AppData\Local\Microsoft\OneDrive\OneDrive.exe", "sync-client"),
        ("/Applications/Dropbox.app/Contents/MacOS/Dropbox", "sync-client"),
        (r"C:\Users\u\AppData\Local\slack\app-4.41.105\slack.exe", "collaboration"),
        (r"C:\Program Files\WindowsApps\MSTeams_24.1_x64__8wekyb3d8bbwe\ms-teams.exe", "collaboration"),
        (r"C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE", "office"),
        (r"C:\Users\u\AppData\Local\Programs\Microsoft VS Code\Code.exe", "developer-tool"),
        (r"C:\Program Files\Git\mingw64\libexec\git-core\git-remote-https.exe", "developer-tool"),
        ("/usr/lib/git-core/git-remote-https", "developer-tool"),
        (r"C:\Program Files (x86)\Google\GoogleUpdater\130\updater.exe", "unknown"),
        (r"C:\Program Files (x86)\Google\Update\GoogleUpdate.exe", "updater"),
        ("/usr/lib/apt/methods/https", "updater"),
        (r"C:\ProgramData\Microsoft\Windows Defender\Platform\4.18\MsMpEng.exe", "security-tool"),
        (r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe", "interpreter suspicious-process"),
        (
            r"C:\Users\u\AppData\Local\Programs\Python\Python311\python3.11.exe",
            "interpreter suspicious-process scripting-process",
        ),
        ("/usr/bin/python3", "interpreter suspicious-process scripting-process"),
        (r"C:\Windows\SysWOW64\rundll32.exe", "lolbin suspicious-process"),
        (r"C:\Windows\System32\wscript.exe", "lolbin suspicious-process scripting-process"),
        (r"C:\Windows\System32\curl.exe", "download-utility suspicious-process"),
        (r"C:\Program Files\Git\mingw64\bin\curl.exe", "download-utility suspicious-process"),
        (r"C:\Windows\System32\svchost.exe", "system-service"),
        (r"C:\Windows\System32\inetsrv\w3wp.exe", "system-service"),
        ("/usr/lib/systemd/systemd-resolved", "delegate"),
        ("systemd-resolve", "delegate"),
        ("git-remote-http", "developer-tool"),
        (r"C:\Program Files\Acme\acme.exe", "unknown"),
        (r"C:\ProgramData\xapt.exe", "unknown unusual-path"),
        ("", "unknown"),
    ] {
        check(path, expected);
    }
}

#[test]
fn what_is_not_what_its_name_says() {
    for (path, expected) in [
        (r"C:\Windows\Temp\svchost32.exe", "unknown masquerade unusual-path"),
        (r"C:\Windows\Temp\svchost.exe", "unknown masquerade unusual-path"),
        (r"C:\Program Files\x\svchost.exe", "unknown masquerade"),
        (r"C:\Users\u\scvhost.exe", "unknown masquerade"),
        (r"C:\Users\u\Downloads\invoice.pdf.exe", "unknown masquerade unusual-path"),
        (r"C:\Users\u\AppData\Roaming\OneDrive.exe", "unknown masquerade unusual-path"),
        (r"C:\Temp\powershell.exe", "interpreter suspicious-process masquerade unusual-path"),
        (r"C:\Temp\git.exe", "unknown masquerade unusual-path"),
        ("/usr/local/lib/[kworker/0:1]", "unknown"),
        ("/opt/x/[kworkerd]", "unknown masquerade"),
    ] {
        check(path, expected);
    }
    let renamed = Process {
        original_name: Some("PowerShell.EXE".into()),
        ..process(r"C:\Users\u\update.exe", "update.exe -e SQBF", "")
    };
    assert_eq!(
        shown(&renamed),
        "interpreter suspicious-process suspicious-command-line inline-code masquerade"
    );
    let same = Process {
        original_name: Some("pwsh.dll".into()),
        ..process(r"C:\Program Files\PowerShell\7\pwsh.exe", "", "")
    };
    assert_eq!(shown(&same), "interpreter suspicious-process");
    let signed =
        |signer: &str, path: &str| shown(&Process { signer: Some(signer.into()), ..process(path, "", "") });
    assert_eq!(signed("Google LLC", r"D:\Apps\Chrome\chrome.exe"), "browser");
    assert_eq!(signed("Google LLC", r"C:\Users\Public\chrome.exe"), "unknown masquerade unusual-path");
    assert_eq!(
        signed("Evil Ltd", r"C:\Program Files\Google\Chrome\Application\chrome.exe"),
        "unknown masquerade"
    );
}

#[test]
fn parents_that_start_no_shells() {
    const PS: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";
    for (parent, unusual) in [
        (r"C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE", true),
        ("outlook.exe", true),
        (r"C:\Program Files\Adobe\Acrobat DC\Acrobat\Acrobat.exe", true),
        (r"C:\Windows\System32\inetsrv\w3wp.exe", true),
        (r"C:\Windows\System32\mshta.exe", true),
        ("/usr/sbin/apache2", true),
        (r"C:\Windows\explorer.exe", false),
        (r"C:\Windows\System32\cmd.exe", false),
    ] {
        let expected = if unusual {
            "interpreter suspicious-process unusual-parent"
        } else {
            "interpreter suspicious-process"
        };
        check_line(PS, "powershell.exe", parent, expected);
    }
    check_line(r"C:\Program Files\Google\Chrome\Application\chrome.exe", "", "outlook.exe", "browser");
}

#[test]
fn command_lines_and_scripts() {
    const PS: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";
    check_line(
        PS,
        "powershell.exe -enc SQBF",
        "",
        "interpreter suspicious-process suspicious-command-line inline-code",
    );
    check_line(PS, r"powershell.exe -File C:\IT\sync.ps1", "", "interpreter suspicious-process");
    check_line(
        PS,
        r"powershell.exe -File C:\Users\Public\a.ps1",
        "",
        "interpreter suspicious-process unusual-path",
    );
    check_line(
        "/usr/bin/python3",
        "python3 /tmp/a.py",
        "",
        "interpreter suspicious-process scripting-process unusual-path",
    );
    check_line(
        "/usr/bin/python3.11",
        "/usr/bin/python3.11 /usr/bin/pip3 install x",
        "",
        "developer-tool suspicious-process scripting-process",
    );
    check_line(
        "/usr/bin/python3",
        "python3 -m pip install x",
        "",
        "developer-tool suspicious-process scripting-process",
    );
    check_line(
        r"C:\Program Files\nodejs\node.exe",
        r#""C:\Program Files\nodejs\node.exe" "C:\Program Files\nodejs\node_modules\npm\bin\npm-cli.js" ci"#,
        "",
        "developer-tool suspicious-process scripting-process",
    );
    check_line(
        r"C:\Program Files\nodejs\node.exe",
        r"node C:\Users\Public\npm-cli.js",
        "",
        "interpreter suspicious-process scripting-process unusual-path",
    );
    check_line(
        r"C:\Program Files\nodejs\node.exe",
        "node npm-cli.js",
        "",
        "interpreter suspicious-process scripting-process",
    );
    check_line(
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        "chrome.exe --headless --dump-dom https://x",
        "",
        "browser suspicious-command-line",
    );
    let of = |line: &str| Originator::of_process(&process(PS, line, ""), Programs::builtin()).script;
    assert_eq!(of(r"powershell.exe -File C:\IT\sync.ps1"), Script::Settled);
    assert_eq!(of(r"powershell.exe -File sync.ps1"), Script::Loose);
    assert_eq!(of(r"powershell.exe -File C:\Users\u\sync.ps1"), Script::Loose);
    assert_eq!(of("powershell.exe"), Script::None);
}

#[test]
fn who_acts_for_others() {
    for (line, kind) in [
        ("svchost.exe -k LocalService -p -s WebClient", Some("webclient")),
        (r"C:\Windows\System32\svchost.exe -k netsvcs -p -s BITS", Some("bits")),
        ("svchost.exe -k NetworkService -p -s Dnscache", Some("dns-client")),
        ("svchost.exe -k netsvcs -p -s wuauserv", None),
        ("svchost.exe -k netsvcs", None),
    ] {
        let originator = Originator::of_process(
            &process(r"C:\Windows\System32\svchost.exe", line, ""),
            Programs::builtin(),
        );
        assert_eq!(originator.delegate.as_deref(), kind, "{line}");
        assert_eq!(originator.class == Class::Delegate, kind.is_some(), "{line}");
    }
    let attribution = |delegated: super::super::Delegated| Attribution {
        process: Some(Arc::new(process(r"C:\Windows\System32\svchost.exe", "", ""))),
        delegated: Some(delegated),
        ..Attribution::no_telemetry()
    };
    let nobody = super::super::Delegated { kind: "bits".into(), likely: None, level: None };
    let of = |attribution: &Attribution| Originator::of(attribution, Programs::builtin).map(|who| who.class);
    assert_eq!(of(&attribution(nobody.clone())), Some(Class::Delegate));
    let likely = Some(Arc::new(process(r"C:\Windows\System32\bitsadmin.exe", "", "")));
    assert_eq!(of(&attribution(super::super::Delegated { likely, ..nobody })), Some(Class::Lolbin));
    assert_eq!(of(&Attribution::no_telemetry()), None);
}

/// Linux and macOS: their paths, names that the kernel cut at 15 bytes, versions, packages, and what is piped into a shell.
#[test]
fn programs_of_unix() {
    const SCRIPTS: &str = "interpreter suspicious-process scripting-process";
    for (path, expected) in [
        // As the kernel has their names, without a path.
        ("unattended-upgr", "updater"),
        ("systemd-resolve", "delegate"),
        ("chromium-browse", "browser"),
        ("thunderbird-bin", "collaboration"),
        // By version.
        ("/usr/bin/python3.13", SCRIPTS),
        ("/usr/bin/perl5.36.0", SCRIPTS),
        ("/usr/bin/ruby3.1", SCRIPTS),
        ("/usr/bin/php8.2", SCRIPTS),
        ("/usr/bin/lua5.4", SCRIPTS),
        ("/opt/homebrew/Cellar/node/23.1.0/bin/node", SCRIPTS),
        ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "interpreter suspicious-process"),
        // Package managers.
        ("/usr/bin/apt-get", "updater"),
        ("/usr/bin/dnf5", "updater"),
        ("/usr/bin/zypper", "updater"),
        ("/usr/bin/pacman", "updater"),
        ("/sbin/apk", "updater"),
        ("/usr/lib/snapd/snapd", "updater"),
        ("/usr/bin/flatpak", "updater"),
        ("/opt/homebrew/bin/brew", "developer-tool"),
        // macOS.
        ("/usr/bin/osascript", SCRIPTS),
        ("/Applications/Safari.app/Contents/MacOS/Safari", "browser"),
        ("/System/Cryptexes/App/System/Applications/Safari.app/Contents/MacOS/Safari", "browser"),
        ("/Applications/Slack.app/Contents/MacOS/Slack", "collaboration"),
        ("/usr/sbin/mDNSResponder", "delegate"),
        ("/usr/bin/nscurl", "download-utility suspicious-process"),
        ("/Users/a/Library/Caches/x/Safari", "unknown masquerade unusual-path"),
        ("/private/tmp/curl", "download-utility suspicious-process unusual-path"),
    ] {
        check(path, expected);
    }
    let line = |path: &str, line: &str, expected: &str| check_line(path, line, "", expected);
    let piped = "interpreter suspicious-process suspicious-command-line inline-code";
    line("/usr/bin/bash", "bash -c \"curl -fsSL https://x.example/i | sh\"", piped);
    line("/usr/bin/dash", "sh -c wget -qO- https://x.example/i | bash", piped);
    line("/bin/zsh", "/bin/zsh -c curl https://x.example/i|zsh", piped);
}
