//! Building a client: where the server is, and what its calls carry.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::HeaderValue;
use tonic::Status;
use tonic::transport::Endpoint;
use tower::ServiceExt;

use crate::Error;
use crate::channel::{Channel, Settings};
use crate::methods::Methods;
use crate::random::Random;
use crate::retry::{self, Connection, Retry};

/// The environment variable that holds the API key; `millrace dev` writes it to `.millrace/dev.env`.
const API_KEY_ENV: &str = "MILLRACE_API_KEY";
/// How the client names itself after the application's own name.
const USER_AGENT: &str = concat!("millrace-client/", env!("CARGO_PKG_VERSION"));
const DEADLINE_DEFAULT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
const ATTEMPTS_DEFAULT: u32 = 3;
/// More attempts than this are never made (gRFC A6).
const ATTEMPTS_MAX: u32 = 5;
/// A connection without traffic is tried this often, so that a watch over a dead link ends.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of one Millrace server. Cloning is cheap; clones share one connection.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// Begins to connect to a server, as in `http://127.0.0.1:8080`. Awaiting what it returns connects.
    pub fn connect(url: impl Into<String>) -> Connect {
        Connect {
            url: url.into(),
            api_key: None,
            deadline: Some(DEADLINE_DEFAULT),
            user_agent: None,
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
            attempts: ATTEMPTS_DEFAULT,
            descriptors: vec![millrace_proto::FILE_DESCRIPTOR_SET.to_vec()],
        }
    }

    /// The channel to put a generated client on: `OrderingServiceClient::new(client.channel())`.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

/// A client in the making; see [`Client::connect`].
#[must_use = "nothing is connected until this is awaited"]
pub struct Connect {
    url: String,
    api_key: Option<String>,
    deadline: Option<Duration>,
    user_agent: Option<String>,
    connect_timeout: Duration,
    attempts: u32,
    descriptors: Vec<Vec<u8>>,
}

impl Connect {
    /// Sends this API key, `mr_...`, with each call that does not carry its own `authorization`.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Takes the API key from the environment variable `MILLRACE_API_KEY`.
    ///
    /// # Errors
    ///
    /// The variable is not set, or is not UTF-8.
    #[expect(clippy::disallowed_methods, reason = "a setting, read once when the client is built")]
    pub fn api_key_env(self) -> Result<Self, Error> {
        match std::env::var(API_KEY_ENV) {
            Ok(key) => Ok(self.api_key(key)),
            Err(error) => Err(setting(format!(
                "API key: {API_KEY_ENV}: {error} (`millrace dev` writes it to .millrace/dev.env)"
            ))),
        }
    }

    /// Gives this time to each unary call that does not set its own (`tonic::Request::set_timeout`), retries included;
    /// 10 seconds if this is not called. `None` leaves it to the server. Streams have no deadline unless they set one.
    pub fn deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.deadline = deadline.into();
        self
    }

    /// Names the application to the server, as in `shop/1.2`, before the client's own name.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Waits this long for a connection; 5 seconds if this is not called.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Makes at most this many attempts for each call, the first included; 3 if this is not called, at least 1, at most
    /// 5. Only calls that are safe to repeat are: those whose method is declared idempotent, or has an idempotency key,
    /// which the client draws if the request has none.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.clamp(1, ATTEMPTS_MAX);
        self
    }

    /// Adds an encoded `FileDescriptorSet` of services that are not Millrace's own. Methods that no descriptor knows
    /// are carried too, with neither a default deadline nor retries.
    pub fn descriptors(mut self, descriptors: impl Into<Vec<u8>>) -> Self {
        self.descriptors.push(descriptors.into());
        self
    }

    /// Makes the client without connecting: the first call does, and a server that is not there is its failure.
    ///
    /// # Errors
    ///
    /// A setting is wrong: the URL, the key, the user agent or the descriptors.
    pub fn lazy(self) -> Result<Client, Error> {
        let connection = self.endpoint()?.connect_lazy();
        self.over(connection.map_err(Into::into))
    }

    async fn eager(self) -> Result<Client, Error> {
        let endpoint = self.endpoint()?;
        let connection = match endpoint.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                let message = format!("cannot connect to {}: {}", self.url, retry::last_cause(&error));
                return Err(Status::unavailable(message).into());
            }
        };
        self.over(connection.map_err(Into::into))
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        if self.url.starts_with("https:") {
            return Err(setting(format!(
                "endpoint {}: TLS is not supported yet, use http",
                self.url
            )));
        }
        let user_agent = match &self.user_agent {
            Some(application) => format!("{application} {USER_AGENT}"),
            None => USER_AGENT.to_owned(),
        };
        let endpoint = Endpoint::from_shared(self.url.clone())
            .map_err(|error| setting(format!("endpoint {:?}: {error}", self.url)))?;
        if endpoint.uri().host().is_none() || endpoint.uri().scheme().is_none() {
            return Err(setting(format!(
                "endpoint {:?}: not of the form http://host:port",
                self.url
            )));
        }
        let endpoint = endpoint
            .user_agent(user_agent)
            .map_err(|error| setting(format!("user agent: {error}")))?;
        Ok(endpoint
            .connect_timeout(self.connect_timeout)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT))
    }

    fn over<S>(self, connection: S) -> Result<Client, Error>
    where
        S: tower::Service<
                http::Request<tonic::body::Body>,
                Response = http::Response<tonic::body::Body>,
                Error = tower::BoxError,
                Future: Send,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        let mut methods = Methods::default();
        for descriptors in &self.descriptors {
            methods
                .add(descriptors)
                .map_err(|error| setting(format!("descriptors: {error}")))?;
        }
        let random = Random::from_system().map_err(|error| Status::internal(format!("random numbers: {error}")))?;
        let random = Arc::new(random);
        let settings = Settings {
            methods,
            authorization: self.api_key.as_deref().map(authorization).transpose()?,
            deadline: self.deadline,
            retry: Retry::new(self.attempts, random.clone()),
            random,
        };
        let channel = Channel::new(Connection::new(connection), settings);
        Ok(Client { channel })
    }
}

impl IntoFuture for Connect {
    type Output = Result<Client, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    /// Connects, and fails if the server is not there.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.eager())
    }
}

/// The header of an API key, which debug output does not show.
fn authorization(key: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.trim()))
        .map_err(|_| setting("API key: holds a character that no key has".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The failure of a setting that cannot be used.
fn setting(message: String) -> Error {
    Error::from(Status::invalid_argument(message))
}
