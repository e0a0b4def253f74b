//! A caller in a thread of its own: the same request again and again, over one connection that is kept.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;

use tokio::sync::mpsc as told;

use crate::proxied::ORDER;

pub(crate) struct Caller {
    ask: mpsc::Sender<u64>,
    done: told::UnboundedReceiver<()>,
}

impl Caller {
    pub(crate) fn start(proxy: SocketAddr, request: &str) -> Self {
        let (ask, asked) = mpsc::channel();
        let (tell, done) = told::unbounded_channel();
        let request = request.to_owned();
        std::thread::spawn(move || {
            let stream = TcpStream::connect(proxy).unwrap();
            stream.set_nodelay(true).unwrap();
            let mut read = BufReader::new(stream);
            while let Ok(calls) = asked.recv() {
                for _ in 0..calls {
                    read.get_mut().write_all(request.as_bytes()).unwrap();
                    answered(&mut read);
                }
                tell.send(()).unwrap();
            }
        });
        Self { ask, done }
    }

    /// Waits until so many more calls were answered.
    pub(crate) async fn call(&mut self, times: u64) {
        self.ask.send(times).unwrap();
        self.done.recv().await.unwrap();
    }
}

/// Reads one answer, which is the order.
fn answered(read: &mut BufReader<TcpStream>) {
    let mut line = String::new();
    read.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");
    let mut length = None;
    while line != "\r\n" {
        line.clear();
        read.read_line(&mut line).unwrap();
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse().unwrap());
        }
    }
    let mut body = vec![0; length.unwrap()];
    read.read_exact(&mut body).unwrap();
    let [body, order]: [serde_json::Value; 2] =
        [&body[..], ORDER.as_bytes()].map(|json| serde_json::from_slice(json).unwrap());
    assert_eq!(body, order);
}
