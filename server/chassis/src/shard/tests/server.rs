//! Databases on a PostgreSQL server. Making one takes up to a second, so one test's are emptied and lent to the next;
//! the last test that runs drops them all.

use std::sync::{Mutex, PoisonError};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};

/// The databases of all tests of this process.
struct Lent {
    /// Tests that run now.
    tests: usize,
    /// Databases made so far; their names are counted.
    made: usize,
    /// Empty databases that no test has.
    free: Vec<String>,
}

static LENT: Mutex<Lent> = Mutex::new(Lent {
    tests: 0,
    made: 0,
    free: Vec::new(),
});

/// Changes the list; never held over an `await`.
fn lent<R>(change: impl FnOnce(&mut Lent) -> R) -> R {
    change(&mut LENT.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A server, and the databases on it that one test has.
pub(super) struct Server {
    /// URL up to the name of the database.
    base_url: String,
    admin_url: String,
    databases: Vec<String>,
}

impl Server {
    /// Takes the URL of a superuser's maintenance database.
    pub(super) fn new(admin_url: String) -> Self {
        lent(|lent| lent.tests += 1);
        let (base_url, _) = admin_url.rsplit_once('/').unwrap();
        Self {
            base_url: base_url.to_owned(),
            admin_url,
            databases: Vec::new(),
        }
    }

    /// Returns the URL of an empty database.
    pub(super) async fn database(&mut self) -> String {
        let name = match lent(|lent| lent.free.pop()) {
            Some(name) => name,
            None => {
                let number = lent(|lent| {
                    lent.made += 1;
                    lent.made
                });
                let name = format!("millrace_test_{}_{number}", std::process::id());
                // Another order than that of bytes, in which `a-c` comes after `ab`: no query may rely on the default.
                let order = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US-u-ka-shifted'";
                self.admin(&format!("CREATE DATABASE {name} {order}")).await;
                name
            }
        };
        let url = format!("{}/{name}", self.base_url);
        self.databases.push(name);
        url
    }

    /// Runs a statement in the maintenance database.
    pub(super) async fn admin(&self, sql: &str) {
        let mut conn = AsyncPgConnection::establish(&self.admin_url).await.unwrap();
        conn.batch_execute(sql).await.unwrap();
    }

    /// Empties a database.
    pub(super) async fn empty(&self, name: &str) {
        self.run(name, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    }

    /// Runs a statement in a database.
    pub(super) async fn run(&self, name: &str, sql: &str) {
        let url = format!("{}/{name}", self.base_url);
        let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
        conn.batch_execute(sql).await.unwrap();
    }

    /// Gives the test's databases back, or drops those of a test that failed: who knows what it left.
    pub(super) async fn give_back(&mut self, failed: bool) {
        let databases = std::mem::take(&mut self.databases);
        if !failed {
            for name in &databases {
                self.empty(name).await;
            }
        }
        let unwanted = lent(|lent| {
            lent.tests -= 1;
            match (failed, lent.tests) {
                (true, 0) => [databases, std::mem::take(&mut lent.free)].concat(),
                (true, _) => databases,
                (false, others) => {
                    lent.free.extend(databases);
                    if others == 0 {
                        std::mem::take(&mut lent.free)
                    } else {
                        Vec::new()
                    }
                }
            }
        });
        for name in unwanted {
            self.admin(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}
