//! The counters for whoever scrapes: `/metrics` in the text format of Prometheus, and `/healthz`, over HTTP/1.1.
//!
//! A thread of its own answers one client at a time, with a text that the thread of the Correlator puts there. A client that is slow or
//! speaks nonsense costs it a second.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::runtime::spawn;

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Page>>);

#[derive(Debug, Default)]
struct Page {
    text: String,
    /// When it was put there.
    written: Option<Instant>,
}

/// How old the counters may be before the sensor is not healthy any more: it puts them there every second.
const STALE: Duration = Duration::from_secs(10);

/// How long a client may take to say what it wants, and to take it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest request that is read, in bytes; what matters is its first line.
const MOST_REQUEST: usize = 4096;

impl Board {
    /// Puts counters there.
    pub fn write(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Page { text, written: Some(Instant::now()) };
    }

    /// Listens on an address. Gives it too, with the port that the system chose if it was to.
    ///
    /// # Errors
    /// When the address cannot be listened on; the error names it.
    pub fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("--metrics {address}: {error}"));
        let listener = TcpListener::bind(address).map_err(named)?;
        let address = listener.local_addr().map_err(named)?;
        Ok((listener, address))
    }

    /// Answers until the process ends.
    ///
    /// # Errors
    /// When the system has no room for one more thread.
    pub fn serve(&self, listener: TcpListener) -> io::Result<()> {
        let board = self.clone();
        spawn("metrics".to_owned(), move || {
            for client in listener.incoming() {
                match client {
                    // Who goes away in the middle has no need of the rest.
                    Ok(client) => drop(board.answer(client)),
                    // Too many files are open: it may be better later.
                    Err(_) => std::thread::sleep(PATIENCE),
                }
            }
        })?;
        Ok(())
    }

    fn answer(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        client.set_write_timeout(Some(PATIENCE))?;
        let began = Instant::now();
        let mut request = Vec::new();
        let mut block = [0; 1024];
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            let got = client.read(&mut block)?;
            request.extend_from_slice(block.get(..got).unwrap_or_default());
            if got == 0 || request.len() > MOST_REQUEST || began.elapsed() > PATIENCE {
                return Ok(());
            }
        }
        let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let (status, body) = self.page(&String::from_utf8_lossy(line));
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        client.write_all(head.as_bytes())?;
        client.write_all(body.as_bytes())
    }

    fn page(&self, line: &str) -> (&'static str, String) {
        let page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let healthy = page.written.is_some_and(|written| written.elapsed() < STALE);
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match (method, path.split('?').next().unwrap_or_default()) {
            ("GET", "/metrics") => ("200 OK", page.text.clone()),
            ("GET", "/healthz") if healthy => ("200 OK", "ok\n".to_owned()),
            ("GET", "/healthz") => ("503 Service Unavailable", "the counters stand still\n".to_owned()),
            ("GET", _) => ("404 Not Found", "there are /metrics and /healthz\n".to_owned()),
            _ => ("405 Method Not Allowed", "only GET is understood\n".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn it_answers_whoever_asks() {
        let board = Board::default();
        let (listener, address) = Board::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        board.serve(listener).unwrap();
        assert!(ask(address, "GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503 "));
        board.write("undertone_packets_total 7\n".to_owned());
        let metrics = ask(address, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
        assert!(metrics.ends_with("\r\n\r\nundertone_packets_total 7\n"), "{metrics}");
        assert!(metrics.contains("\r\nContent-Length: 26\r\n"), "{metrics}");
        for (request, status) in [
            ("GET /healthz HTTP/1.0\r\n\r\n", "200"),
            ("GET /metrics?x=1 HTTP/1.1\r\n\r\n", "200"),
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("\r\n\r\n", "405"),
        ] {
            let answer = ask(address, request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        }
        // Silence, and a head without end, are not waited for.
        assert_eq!(ask(address, ""), "");
        assert!(Board::listen(address).unwrap_err().to_string().contains("--metrics 127.0.0.1:"));
    }
}
