//! Reads the built-in lists as people edit them, and writes them as the program reads them: in a tenth of the time.
//!
//! What reads them is the program's own; what is wrong with them is told with file and line, and nothing is built.

#![allow(dead_code, unreachable_pub, reason = "the program uses more of its own files than this does")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;

#[path = "src/hostname.rs"]
mod hostname;

#[path = "src/lists"]
mod lists {
    mod built;
    mod chunk;
    mod form;
    mod service;
    mod suffix;
    pub(crate) mod writer;
}

const FOLDER: &str = "src/lists/catalogue";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    println!("cargo::rerun-if-changed=src/lists/expand.toml");
    let mut files = Vec::new();
    for entry in fs::read_dir(FOLDER)? {
        files.push(entry?.path());
    }
    files.sort();
    let mut written = lists::writer::Writer::new()?;
    for file in &files {
        written.file(&file.display().to_string(), &fs::read_to_string(file)?);
    }
    match written.end() {
        Ok(text) => {
            let out = std::env::var_os("OUT_DIR").ok_or("cargo says no OUT_DIR")?;
            fs::write(PathBuf::from(out).join("catalogue.txt"), text)?;
        }
        Err(problems) => problems.iter().for_each(|problem| println!("cargo::error={problem}")),
    }
    Ok(())
}
