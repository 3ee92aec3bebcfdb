//! The five published detections that undertone began with: clause by clause, where each went, and what differs.
//!
//! They are queries over endpoint logs: Sentinel T1102.002, Elastic T1102.002, Sentinel T1102, Sumo Logic T1102.002 and Sentinel T1102.001. Here
//! each is a Sigma file under `src/rules/builtin/`; the level of a finding comes from `src/rules/levels.toml`; the one that
//! its author gave stands beside the rule (`undertone.rules[].level`) and decides nothing. What is the same for all is told first.
//!
//! | clause of all | where it went | what differs, and why |
//! |---|---|---|
//! | list of domains | `HostnameAndParents` in the rule, an entry of the catalogue for each | label boundaries from the right: `has`, `*x*` and `*.x` met `evil-box.com` and `microsoft.com` and missed `pastebin.com` |
//! | the field with the name: `RemoteUrl`, `destination.domain`, `DestinationHostname` | SNI, DNS, HTTP Host from the wire | endpoint logs hold reverse lookups, or nothing |
//! | list of processes | `ProcessName`, and `OriginalFileName` for renamed ones | a whole name, not a part of one (`my-cmd.exe`); versions of Python; Linux names |
//! | time range of the query | none: every contact is judged once | |
//! | output columns | `host.*`, `user.*`, `process.*`, `source.*`, `destination.*`, `related.hosts` of the record | |
//! | confidence, false positives, references | metadata of the rule file | |
//!
//! | 1: Sentinel, T1102.002 | where it went | what differs, and why |
//! |---|---|---|
//! | `RemoteUrl has_any (…)`, 35 names | `process-list.yml` | |
//! | `or RemoteIPType == "Public"` | left out | it made the list of names say nothing |
//! | `InitiatingProcessFileName has_any (…)`, 15 names | `process-list.yml` | |
//! | `IsCloudStorage` … `IsMessaging` | `undertone.service.category` and `also`: cloud-storage, paste, social, dev-platform, messaging | of the service, not of the text: raw.githubusercontent.com is no social medium |
//! | `where IsCloudStorage or …` | left out | it made 14 of the 35 names unable to alert |
//! | `join` to process events | the attribution: by five-tuple and process key, at the time of the contact | the join had no time, and multiplied rows by every use of a pid |
//! | `SuspiciousCmdLine` | tag `suspicious-command-line`, with the words as evidence | `FromBase64String` is met; `-e` to `-encodedcommand`, `iwr`, `irm`; not `Out-File -Encoding`, not `iexplore` |
//! | severity high | `level` of the rule | the finding's level is by tier and originator: a browser's and PowerShell's contact are not the same |
//!
//! | 2: Elastic, T1102.002 | where it went | what differs, and why |
//! |---|---|---|
//! | `sequence by host.name, process.pid with maxspan=5m` | `sequence.yml`: `SecondsSinceProcessStart` at most 300 | by the process's key: numbers are used again within seconds; by the wire's clock: Sysmon's put half of the connections before their process |
//! | the same without the window | `sequence-any-age.yml` | a shell of 5 min 1 s, and a beacon that sleeps longer, were never met |
//! | `destination.domain : ("*.dropbox.com", …)`, 29 patterns | both files | the apex is met too |
//! | one alert for each start | one alert for each client, process and service in the repeat window, then the summary | repetition was not to be seen |
//!
//! | 3: Sentinel, T1102 | where it went | what differs, and why |
//! |---|---|---|
//! | `RemoteUrl has_any (…)`, 25 names | `no-browser.yml` | |
//! | `join … on DeviceId` | the attribution | it joined a connection with every process of the device that day |
//! | `not(… has_any (LegitBrowsers))` | `OriginatorClass: browser` is excluded | a browser's own path is needed: `evil-chrome.exe`, and `chrome.exe` in Temp, are none, and carry the tag `masquerade` |
//! | `FileName !in~ ("OneDrive.exe", …)` | `OriginatorAtHome` is excluded | a client at its own service, by the connection's own process: `OneDrive.exe` at pastebin.com is met |
//! | `SuspiciousProcess`, `ScriptingProcess` | tags `suspicious-process`, `scripting-process` | |
//! | `UnusualParent` | tag `unusual-parent` | of the parent: the query looked at the process itself |
//! | `SHA256` | `process.hash.sha256` | |
//!
//! | 4: Sumo Logic, T1102.002 | where it went | what differs, and why |
//! |---|---|---|
//! | `EventCode=3` and six `parse regex` | the feed's readers | Windows writes `<Data Name="Image">`; event 3 has no command line, which comes from event 1 |
//! | `DestHostname matches`, 26 patterns | `aggregate.yml` | `*t.co*` met microsoft.com, `*box.com*` xbox.com |
//! | `ServiceType` | `undertone.service.category` | |
//! | `HasSuspiciousCmdLine` | tag `suspicious-command-line` | it was always false |
//! | `stats … by` five columns | a `summary` record for each client, process and service | a process is one user, image and command line on one host: rows of the query are sums of these records |
//! | `count as ConnectionCount` | `undertone.summary.connections`; `.count` has the questions to DNS as well | |
//! | `values(DestHostname) as Destinations` | `undertone.summary.hostnames`; their addresses in `.destinations` | |
//! | `values(DestPort) as Ports` | `undertone.summary.ports` | |
//! | `values(ServiceType) as ServiceTypes`, and `by ServiceType` | `undertone.summary.service_types`: the category of the service, then its further ones | a service may be several things |
//! | `min(_messageTime) as FirstSeen` | `event.start` | |
//! | `max(_messageTime) as LastSeen` | `event.end` | |
//! | `by _sourceHost` | `host.name`; without telemetry `source.ip` | |
//! | `by User` | `user.domain`, `user.name` | |
//! | `by Image` | `process.executable` | |
//! | `by HasSuspiciousCmdLine` | `undertone.summary.suspicious_command_line`, where the command line is known | |
//!
//! | 5: Sentinel, T1102.001 | where it went | what differs, and why |
//! |---|---|---|
//! | `RemoteUrl has_any (…)`, 34 names | `dead-drop.yml` | |
//! | `in~ (SuspiciousProcesses) or !in~ (…)` | `OriginatorClass`, `OriginatorAtHome` | the first half said nothing beside the second |
//! | `svchost.exe` among the excluded | `OriginatorClass: system-service` | BITS and WebClient run in it and act for others: class `delegate`, which is not excluded |
//! | `IsKnownBrowser` | `undertone.originator.class` | it was false on every row |
//! | `PastebinAccess`, `GitHubRawAccess`, `SocialMediaAccess`, `CloudStorageAccess` | categories paste, dev-platform, social, cloud-storage | |
//! | whole platforms (`github.com`, `amazonaws.com`) at severity high | tier 4 | such a name alone is informational |
