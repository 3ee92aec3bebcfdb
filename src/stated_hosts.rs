//! The file that says which addresses are whose, for `--hosts`.
//!
//! A line holds an address and a name, as in `/etc/hosts`; further names on the line are the same host's and are left out. `#` begins a
//! comment.

use std::net::IpAddr;

use crate::hostname::Hostname;

/// An address and the name of its host, as a line of the file states it.
pub type Stated = (IpAddr, Hostname);

/// Reads the text of a file. Gives what its lines state, and what is wrong with others: the line, and why.
pub fn read(text: &str) -> (Vec<Stated>, Vec<(usize, String)>) {
    let (mut stated, mut wrong) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let content = line.split('#').next().unwrap_or_default();
        let mut words = content.split_ascii_whitespace();
        let Some(address) = words.next() else { continue };
        match one(address, words.next()) {
            Ok(one) => stated.push(one),
            Err(why) => wrong.push((index + 1, why)),
        }
    }
    (stated, wrong)
}

fn one(address: &str, name: Option<&str>) -> Result<Stated, String> {
    let ip = address.split('%').next().unwrap_or(address).parse::<IpAddr>();
    let ip = ip.map_err(|_| {
        format!("'{address}' is no address; an address and a name are needed, as in 10.0.0.7 ws5")
    })?;
    let Some(name) = name else {
        return Err(format!("{address} has no name behind it, as in 10.0.0.7 ws5"));
    };
    let name = Hostname::new(name).map_err(|why| format!("'{name}' is no name of a host: {why}"))?;
    Ok((ip.to_canonical(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_addresses_and_names() {
        let text = "# hosts\n10.0.0.7 WS5.corp.example ws5 # a desk\n\n2001:db8::7\tws6\n::ffff:10.0.0.8 ws7\nfe80::1%eth0 ws8\n";
        let (stated, wrong) = read(text);
        let stated: Vec<String> = stated.iter().map(|(ip, name)| format!("{ip} {name}")).collect();
        assert_eq!(stated, ["10.0.0.7 ws5.corp.example", "2001:db8::7 ws6", "10.0.0.8 ws7", "fe80::1 ws8"]);
        assert!(wrong.is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let (stated, wrong) = read("10.0.0.7 a\nws5 10.0.0.7\n10.0.0.8\n10.0.0.9 b..c\n10.0.0.10 d");
        assert_eq!(stated.len(), 2);
        let told: Vec<String> = wrong.iter().map(|(line, why)| format!("{line}: {why}")).collect();
        assert!(told[0].starts_with("2: 'ws5' is no address"), "{told:?}");
        assert!(told[1].starts_with("3: 10.0.0.8 has no name"), "{told:?}");
        assert!(told[2].starts_with("4: 'b..c' is no name"), "{told:?}");
    }
}
